//! # Threats
//!
//! Who attacks: somebody on the network without a key; the owner of another tenant's key; the
//! owner of a second, weaker key of the same tenant; a web page in a user's browser; somebody
//! who can write text that an agent will store; a reader of a disk, a backup or a log; an
//! operator's slip; a fault. For each attack, what stops it and the test that proves it.
//!
//! ## Another tenant's memory
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | name a tenant in a header, URL, body, session or argument | the tenant is read from the key's record and from nowhere else (I1) | `i1_look_alike_headers_change_nothing`, `i1_no_argument_names_a_tenant`, `i1_no_tool_declares_an_argument_for_the_tenant` |
//! | a tenant name that climbs out of its directory | directories are named by ids that memgate makes; a label never becomes a path | `no_text_that_parses_can_leave_a_directory` |
//! | code that forgets to ask | proofs have private constructors: it does not compile (I2) | `i2_only_auth_makes_a_principal`, `i2_proofs_are_made_in_their_own_rooms_only` |
//! | use another key's session or stream | the ledger binds a session to the key that opened it; each tenant has a protocol service of its own (I8) | `i8_a_foreign_session_is_unknown` |
//! | another caller's page cursor | sealed for its principal with a key of this process | `i8_a_cursor_works_for_its_own_principal_only` |
//! | learn what exists from how "no" sounds | foreign and missing are one answer (I4) | `i4_a_foreign_memory_and_none_read_the_same` |
//! | swap database files, links in the data directory | each file is marked with its tenant; links are refused; only that tenant stops (I11) | `i11_another_tenants_file_is_refused`, `i11_links_are_refused` |
//! | policy text built from names | entities reach Cedar through its interface, never as text | `i1_a_label_is_never_syntax` |
//!
//! ## Keys
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | guess | 256 random bits; a checksum turns guesses away without a look-up; failures are limited per address and key id | `one_changed_character_is_turned_away`, `i7_failures_close_the_address_and_time_opens_it` |
//! | make the server burn CPU on wrong keys | unknown ids never reach argon2, wrong secrets one time in 65,536, and then in a small pool (I7) | `i7_unknown_keys_never_reach_argon2`, `i7_a_wrong_secret_hardly_ever_reaches_argon2` |
//! | steal the database | argon2id over 256 random bits; nothing there makes a key again (I5) | `i5_no_debug_output_shows_a_secret` |
//! | go on with a revoked key | a live record decides on each request, whatever is cached; streams end with the key (I9) | `i9_a_key_revoked_while_it_is_verified_is_refused`, `i9_a_revoked_key_loses_its_open_stream_and_its_session` |
//! | go on with a secret that was replaced | its end is looked at on each request, whatever is cached, and by what it has open (I9) | `i9_an_old_secret_is_refused_on_the_next_request_and_the_new_one_never`, `i9_an_old_secret_and_what_it_has_open_end_with_the_overlap`, the `model` part of the test run |
//! | more than a bounded key may: another tool, a write, another tag, a resource in a tool's place | bounds hold where permits are made and where stores are opened, before policy and under every tool (I3, I4) | `i3_no_permit_is_wider_than_the_bounds_of_its_key`, `i4_what_is_out_of_reach_is_not_there`, `i3_a_bounded_key_never_gets_an_answer_that_the_unbounded_one_would_not_get` |
//! | a stolen key from elsewhere, or at night | networks and hours hold for every scheme in one place; the answer is that to a wrong key | `i4_a_key_outside_its_bounds_is_a_wrong_one` |
//! | two credentials, one for the check and one for the use | exactly one is accepted; two are a 400 | the `auth` group of the hostile cases |
//! | a second way in without the check | routes are data; every route is called with every persona | `i3_unknown_route_is_denied`, `tests/it/endpoints.rs` |
//!
//! ## Tokens
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | forge: `none`, HMAC with a public key, a key in the header, another algorithm | three algorithms can be named at all, each key has one, keys come from the settings alone | `i3_forged_tokens_are_refused`, `i3_no_key_of_its_own_and_nothing_critical`, `i3_nothing_else_can_be_named` |
//! | two readings of one claim: members twice, wrong types, lists | strict JSON and strict types before anything is looked at | `i3_claims_have_their_types`, `a_member_that_stands_twice_is_no_json` |
//! | a token of another service, issuer or time | exact names; every date asked of our clock | `i3_a_token_is_for_us`, `i9_dates_hold_to_the_second` |
//! | a claim that reads like another tenant | mapped, or a tenant's name as it stands, or refused (I1) | `i1_a_claim_that_is_no_tenants_name_is_refused_and_never_cleaned_up`, `i1_a_mapped_tenant_is_reached_through_the_map_alone` |
//! | a read token that writes | the scope is asked for by the tool that would run | `every_tool_asks_for_its_scope` |
//! | make the server fetch: unknown key ids, redirects, huge or slow answers, an empty set | one fetch a minute, bounded in size and time, from the settings only; the last good keys stay | `unknown_key_ids_cause_one_fetch_a_minute`, `i7_tokens_that_break_a_rule_fetch_nothing`, `a_fetch_that_is_slow_large_or_led_elsewhere_fails_and_the_last_good_keys_stay` |
//! | send clients to an issuer of one's own by `Host` | metadata and challenges follow the settings | `i3_metadata_follows_the_settings_and_not_the_host` |
//! | go on after the end | remembered tokens and streams end with their date or key (I9) | `i9_what_hangs_on_a_token_ends_with_it`, `i9_a_stream_ends_with_its_token` |
//!
//! ## Client certificates
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | a header that claims a certificate | only the handshake of our own listener counts (I1) | `i1_no_header_stands_for_a_certificate` |
//! | a certificate of another authority, out of date, revoked, or for another purpose | the handshake ends | `what_the_verifier_does_not_like_ends_in_the_handshake` |
//! | a name that reads like another tenant, two names, a `*` | exact or by one pattern, never cleaned up (I1) | `i1_hostile_names_open_nothing_and_are_never_cleaned_up`, `i1_exactly_one_name_must_mean_somebody` |
//! | a stolen key | worth nothing without the certificate of its tenant | `i1_a_key_beside_the_certificate_of_another_tenant_is_refused`, `a_key_needs_a_certificate_beside_it` |
//! | go on after the authority, the date or the list has changed | judged again on the next request, connections cut (I9); nothing is resumed | `i9_a_connection_ends_with_its_authority`, `i9_a_revoked_certificate_is_refused_and_its_connections_end`, `i9_no_session_of_tls_is_resumed` |
//!
//! ## The record of decisions
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | change, remove, move or forge a record | each hangs on the one before it; the chain is signed every minute (I10) | `i10_every_flipped_byte_of_a_log_is_found`, `i10_whatever_is_done_to_the_lines_is_found` |
//! | cut the end off, or put an older head in its place | a head that is signed as one, in two places, and copies wherever logs go | `i10_a_tail_that_was_cut_off_is_missed`, `i10_a_checkpoint_is_no_head`, `i10_an_emptied_directory_and_an_older_head_are_missed_by_the_copy` |
//! | have the next start sign it | an end is signed as one; numbers go on behind what was signed | `i10_a_start_does_not_heal_what_was_done_to_the_log`, `i10_a_start_signs_nothing_that_was_added_behind_the_end` |
//! | fill the disk, so that nothing is recorded | changes are refused, revocations are not; strangers' refusals are counted, not written each | `i10_without_room_for_a_record_nothing_is_changed`, `i9_a_full_log_saves_no_key`, `i7_a_stranger_makes_a_bounded_number_of_records` |
//! | hang up in the middle of a change | a change runs to its end, and its record is written | `i10_a_change_whose_caller_has_gone_is_on_record`, `a_call_whose_caller_has_gone_is_concluded_too` |
//! | read memories or keys out of it | names and keyed digests, never a value (I5) | `i5_nothing_that_was_said_and_no_key_is_in_the_record` |
//! | a pipe or a link under the name of a file | only regular files are opened | `i11_a_pipe_or_a_link_stops_nobody` |
//!
//! ## Protocol and transport
//!
//! | attack | what stops it | proved by |
//! |---|---|---|
//! | two parsers that disagree (duplicate keys, case, batches, byte order marks) | a strict pre-parser in front of the protocol library, compared with it by a property test and a fuzz target | `mcp::preparse`, the `jsonrpc` group |
//! | a header that says *list* over a body that says *delete* | header and body must agree; the decision is made on the body | `mcp::headers`, the `jsonrpc` group |
//! | DNS rebinding, foreign pages | Host and Origin lists on every route, one Host only | `http::layers`, the `transport` group |
//! | slow heads, slow bodies, readers that do not read, floods of connections | a deadline for each, caps overall and per address | `http::server`, the `transport` group |
//! | forged `X-Forwarded-For` | only trusted proxies are believed, and only their last word | `nobody_is_believed_without_a_trusted_proxy` |
//! | a panic in a tool that hangs its caller | every handler runs in a guard with a time limit | `mcp::guard` |
//!
//! ## Stored text
//!
//! What somebody stored is data: it is returned between marks that it cannot imitate, with who
//! wrote it and when, and never becomes part of a tool's description or of the server's
//! instructions. A search text is words, never a query language.
//!
//! ## Faults
//!
//! | fault | what holds | proved by |
//! |---|---|---|
//! | `kill -9` | what was acknowledged is there, nothing is there by halves (I6) | the `durability` part of the test run |
//! | a disk that fails | the write is not acknowledged; the handle is not used again | `i6_a_write_into_a_lost_file_is_not_acknowledged` |
//! | a lost or damaged database | that tenant is told "unavailable"; an empty store never takes its place | `i3_a_lost_database_is_not_replaced`, `i11_a_damaged_store_breaks_its_own_tenant_only` |
//! | a policy or a certificate that is broken | the old one stays in force | `i3_a_broken_reload_keeps_the_policies_in_force` |
//!
//! ## What memgate does not protect from
//!
//! Root on the machine, and whoever can read the data directory: memories are not encrypted
//! there yet. A disk that lies about having written. A client that hands its key to somebody
//! else. What a model does with a memory that it was allowed to read.
