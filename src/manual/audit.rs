//! # The record of decisions
//!
//! Every decision leaves one record in `<data>/audit/`: what was allowed, denied, refused, limited,
//! failed or abandoned half-way, for agents, operators, strangers and commands without a server.
//! What anybody may read and was given (health, metadata, a preflight) is no decision. A call that
//! looks into several tenants (`list_users` with `act_as`) is a decision about each of them, with a
//! record for each under the one request id.
//!
//! ## What a record holds
//!
//! ```json
//! {"seq":12,"time":"2026-07-28T12:00:00.1Z","event":"call","request":"yyk5v51fqyp24gm",
//!  "who":{"key":"0k3v9q1mzx7a","role":"agent","tenant":"t_fw14206kktvbqe8gzy1n","label":"acme",
//!         "client":{"name":"claude-code","version":"2.1.232"},"address":"10.0.0.7"},
//!  "what":"store_memory","action":"memory_write","resource":"t_fw14206kktvbqe8gzy1n",
//!  "arguments":{"content":"8f0c1d4e5a6b7c8d9e0f1a2b3c4d5e6f"},
//!  "outcome":"allowed","policies":["agent.memory"],"hash":"…64 digits…"}
//! ```
//!
//! | member | meaning |
//! |---|---|
//! | `seq` | the number of the record, without a gap |
//! | `event` | `call` (something done with a memory), `request` (any other request), `command` (without a server), `start`, `stop`, `reload`, `repeated`, `checkpoint`, `pruned` |
//! | `who` | key, role, tenant, for tokens and certificates the `subject`; `client` is what the client says of itself and nobody has checked |
//! | `who.claimed` | of a refused credential: the id that it names, or whose it would have been. Ids are no secrets, so this says whom to ask and not who it was |
//! | `what` | the tool, the method, or the route's pattern |
//! | `arguments` | the names of declared arguments and a digest of each value |
//! | `target` | the key, tenant or session that was made, changed or ended |
//! | `outcome`, `layer`, `policies` | what came of it, who said no, which policies decided |
//! | `detail` | more, in fixed words: why a credential was refused (`used from outside its networks`, `revoked or expired`, `token audience`) |
//!
//! | outcome | it was |
//! |---|---|
//! | `allowed` | permitted and done |
//! | `denied` | forbidden by role, scope or policy, or a tool that there is and that this key does not see (layer `tool`) |
//! | `unauthenticated` | without a good credential |
//! | `limited` | one too many |
//! | `refused` | permitted, and breaks a rule or is about what is not there; JSON-RPC errors inside a 200 too (layer `protocol`) |
//! | `failed` | permitted, and something broke or took too long |
//! | `abandoned` | permitted, and the caller went away; what it may have changed is written at once |
//!
//! The caller of a refused credential reads the one 401, and of a tool out of its sight that there
//! is no such tool; only the record tells them apart.
//!
//! Never in it: a memory, a search text, a credential, an argument's value or undeclared name, a
//! path or a query. A digest is HMAC-SHA-256 under the key in `digest.key`, cut to 128 bits: who
//! has that key can test whether a known text was the argument (`memgate audit digest`), and
//! nobody can read one back.
//!
//! ## When it is written
//!
//! What may have changed something (storing, deleting, making and revoking keys, ending sessions)
//! is answered when its record is on the disk. Everything else is handed to the one thread that
//! writes, in groups, within 50 ms. While the log cannot be written, changes are refused with 503
//! before they begin and reading goes on; records wait in memory (65,536 at most, then everything
//! is refused) and are written when there is room again. `/readyz?verbose` and `/admin/stats` show
//! it. A disk that fails between a change and its record gives the caller a 503 that says so.
//!
//! Revoking a key and ending a session are done even then, because a full disk must not save a
//! stolen key; their record follows when there is room.
//!
//! Refusals that anybody can cause without end (no key, a bad one, a limit) are written one by one,
//! a hundred at once and then one a second; beyond that they are counted, and every ten seconds a
//! record of the event `repeated` tells how many of which layer.
//!
//! ## Why it can be believed
//!
//! A line ends with its hash: SHA-256 over the hash of the line before (32 bytes) and all bytes of
//! the line up to `,"hash":`. Every thousand records, every `audit.checkpoint_interval`, at the
//! beginning of each file and at the end of the process a record of the event `checkpoint` signs
//! the line before it with Ed25519, over the text
//! `memgate audit checkpoint v1\n<seq>\n<hash>\n<time>\n`. The last head is kept apart in
//! `<data>/audit/head` and in a copy beside the directory, `<data>/audit.head`, signed over the same
//! text with another word in the place of `checkpoint`: `head` while memgate runs, `end` when it has
//! stopped and nothing may come behind it, so that nobody can make the one out of the other. It is told to the log of the process and in `/admin/stats` (`audit.head`).
//!
//! `memgate audit verify` reads all of it, also while it grows, and names file, line and record of
//! everything that was changed, removed, moved, doubled, forged or cut off. A start looks at the
//! last file and the head; what does not fit is told, becomes a record itself, and numbering goes
//! on behind the highest number that was signed, so that a restart heals nothing.
//!
//! What it cannot do by itself: whoever can write the data directory can put an older copy of all of
//! it back, or write the records since the last signature anew (a minute, at most 2,024 records; more
//! without a signature is a fault); who also holds the key can make everything anew. So keep,
//! somewhere else,
//! - a copy of `signing.pub` (or set `audit.signing_key` to a key that lies elsewhere), for
//!   `verify --public-key`;
//! - a head now and then: the log of the process, shipped to wherever logs go, has one a minute.
//!   `verify --head NUMBER:HASH` says whether the log still holds it.
//!
//! ## Keeping and removing
//!
//! A file is followed by the next when it reaches `audit.segment_bytes`. Files whose last record is
//! older than `audit.keep` (400 days) go, and the oldest ones while all together are larger than
//! `audit.max_bytes` (16 GiB; a key that uses all of the default rate makes some 450 MB a day); a
//! signed record of the event `pruned` says up to where, so that `verify` can tell that from a theft. Removing files by hand shows as one.
//!
//! ```text
//! memgate audit tail --outcome denied --since 24h
//! memgate audit tail --tenant acme --follow
//! memgate audit export --since 2026-07-01T00:00:00Z --until 2026-08-01T00:00:00Z --out july.jsonl
//! memgate audit verify --public-key /safe/signing.pub
//! ```
