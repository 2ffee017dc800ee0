//! # Operating memgate
//!
//! ## On a laptop
//!
//! `memgate` alone serves on `127.0.0.1:3000` from `./memgate-data`, which it makes. The first
//! start makes a tenant `default`, an agent key and an operator key, and writes them to
//! `<data>/bootstrap/`. Delete those two files once the keys are where they belong.
//!
//! ## Facing other machines
//!
//! memgate refuses to listen on anything but loopback unless the way there is protected: either
//! TLS of its own (`listen.tls.certificate`, `listen.tls.private_key`), or a proxy in front that
//! ends TLS (`listen.behind_proxy = true`, and `listen.trusted_proxies` with the proxy's
//! addresses, or the client addresses in logs and limits will be the proxy's). Set
//! `http.trusted_hosts` to the names by which clients reach it.
//!
//! `memgate config check` reports every problem at once, each with its fix, and starts nothing.
//! `memgate doctor` looks further: file modes, ports, the store, certificates, the clock.
//!
//! `memgate config check --posture` tells what memgate starts with and should not be there by
//! accident, in four severities: `ok`, `note` (worth knowing), `warning` (weaker than it could be),
//! `danger` (a way in for somebody who should have none). Each has its reason and the line that
//! mends it. Exit codes, for pipelines: 0, 1 when there is a danger, 2 when memgate would not start
//! at all. What is looked at: authentication switched off; plain HTTP, proxies and `require_https`;
//! `*` among hosts and origins; keys in the environment, keys without an end, key files of the first
//! start; limits of ten times their defaults and more; the demo tools; the administration on an open
//! address; log levels above `info`; files that others read or change, policies among them; the
//! certificate and its reload; root and core dumps. The running server looks again once a minute and
//! shows the trouble in `/admin/stats` under `posture`.
//!
//! ## Secrets
//!
//! Every secret setting has a twin that names a file: `MCP_API_KEYS_FILE`, or `api_keys_file` in
//! `memgate.toml`. Under systemd, a credential with the setting's name is the same without a path:
//!
//! ```ini
//! [Service]
//! User=memgate
//! LoadCredential=auth.api_keys:/etc/memgate/api-keys
//! LoadCredential=auth.admin_key:/etc/memgate/admin-key
//! LimitCORE=0
//! ```
//!
//! The order is: defaults, `memgate.toml`, credentials, environment, flags (which take no secret).
//! A file that others may read is refused.
//!
//! Core dumps are switched off when the program starts, and other processes of the same user cannot
//! read its memory or environment (`PR_SET_DUMPABLE`); where the system does not allow that, the
//! posture report warns. Keys are kept in memory that is wiped when they are dropped: the texts that
//! settings were read from, keys of the environment, keys just made. Not wiped are the buffers of
//! other libraries through which a key passes: the environment as the kernel handed it over, the
//! head of an HTTP request, the answer that tells a new key, the parser of `memgate.toml`. Core dumps
//! are off for that reason.
//!
//! ## Certificates
//!
//! `memgate certs dev` makes a CA and a leaf for trying things out. In production, point the two
//! settings at the files your tooling renews: memgate looks at them every few seconds and on
//! SIGHUP, and takes a new pair only when it parses and fits together. While the new pair is
//! broken the old one serves, and the log and `/admin/stats` say so.
//!
//! ## Tenants and keys
//!
//! `memgate tenant create acme`, `memgate key create --tenant acme --name laptop`. A key is shown
//! once; what stays is its id and an argon2id hash. `memgate key revoke <id>` holds when it
//! returns: the next request is refused and open streams end. Make one key per app: sessions,
//! limits, bounds and revocation are per key.
//!
//! ## What a key may not
//!
//! What a key can do is what policy permits its role, less its bounds. Bounds are given when the key
//! is made and never widen anything: memgate holds to them before it asks a policy, and a policy may
//! narrow them further. A key with other bounds is another key.
//!
//! - **tools** (`--tool`): these and no other are listed and called. Resources and completions
//!   read memories; a key has them when one of its tools reads memories too.
//! - **access** (`--access read`): nothing that changes anything. For an operator's key: it sees
//!   sessions, tenants and keys, and ends and makes none.
//! - **tags** (`--tag`, eight at most): the key sees memories with at least one of them. What it
//!   stores gets all of them; what it changes keeps those of them that it had. Every other memory
//!   is an unknown one: in lists, counts, resources, completions, for updates and deletes. The store
//!   holds to it, by the permit, so no tool can forget to. The order of answers follows from the
//!   memories in reach alone. What is left of the others is time: a search takes longer where a word
//!   stands in very many memories. Tags sort memories and are no wall between writers: the key may
//!   give what it stores other tags as well, and so put it before other keys' eyes, and may take
//!   tags that are not its own off what is in its reach, and so out of theirs. Apps that must not
//!   do that to each other belong into tenants of their own.
//! - **from** (`--from`): networks or addresses, after trusted proxies. From elsewhere the key is a
//!   wrong key, and counts as one.
//! - **hours** (`--hours "mon-fri 08:00-18:00 Europe/Berlin"`): days, hours and a zone of the IANA
//!   list, whose rules are in the program. Outside them the key is a wrong key, and its open streams
//!   end within five seconds of the end of its hours. `22:00-06:00` runs over midnight and belongs to
//!   the day on which it begins.
//! - **rate class** (`--rate-class`): a rate of `limits.classes` counts the requests of this key in
//!   the place of `limits.per_key`. A class that is taken out of the settings refuses its keys with
//!   403 until it is back: what it would have allowed is unknown.
//! - **expiry** (`--expires`), **packs** (`--pack`) and **`act_as`** (`--act-as`) as ever.
//!
//! ## A new secret for a key
//!
//! `memgate key rotate <id> --overlap 24h` (or `POST /admin/keys/{id}/rotate`) gives a key a new
//! secret, shown once. Its id, bounds, limits and history stay. The old secret works until the
//! overlap ends (`0s`: at once; 30 days at most), then it is refused on the next request, and
//! sessions and streams that were opened with it end within five seconds. A protocol session goes
//! over to the new secret with the first request that carries it, and its stream with it. Rotating
//! again within the overlap drops the oldest of the three secrets at once. Revoking ends both.
//!
//! ## Keys that need a look
//!
//! A key's last use (time to the minute, address, client) stands in `key list`, `key show` and the
//! API; it is written in batches, so a crash may lose the last minute of it. `memgate doctor` names
//! keys that end within 14 days and keys that were not used for 90; `/admin/stats` has the same under
//! `keys_ending_soon` and `keys_unused`.
//!
//! The commands work whether or not the server runs. A running server is reached through
//! `<data>/control.sock`, which needs no key because only the owner of the data directory can
//! open it. The same things can be done over HTTP with an operator's key (`/admin/…`).
//!
//! ## Sessions
//!
//! `memgate session list` shows every caller of the last half hour, whichever revision of the
//! protocol it speaks: tenant, key, client, address, first and last request, calls, errors,
//! bytes, open streams. `memgate session kill <id>` ends one: its streams end, its protocol
//! session is gone, and the same client with the same key from the same address is refused for
//! `limits.ended_for` (ten minutes). That is a request to stop, not a wall: a client names itself,
//! and one that comes back under another name or version is another client. To shut an app out
//! for good, revoke its key.
//!
//! ## Limits
//!
//! Before anybody is known, requests are counted per address (an IPv6 address counts as its /64);
//! afterwards per key (`limits.per_key`), and tool calls apart if `limits.tool_calls_per_key` is
//! set. A limit of 100 per hour lets 100 through at once and then one every 36 seconds. Failed
//! credentials count against the address and against the key id they name. Every answer carries
//! `RateLimit-Policy` and `RateLimit`, a refusal also `Retry-After`. What a tenant has under way
//! at once (requests, streams, sessions) is limited apart, and its refusals carry the same three.
//!
//! ## When the disk is full
//!
//! `/readyz` says 503 while the disk of the data directory (or of `tenants/` in it, where that is
//! another) has less than 8 MiB free, is read-only or cannot be written, and 200 again within
//! seconds of the end of that. `/healthz` stays 200: a restart would not help. What is stored can
//! still be read. Why it is unready stands in the log, once, and as `disk_state` in
//! `/admin/stats`. One tenant's damaged file makes nobody unready; `store_failures` there counts
//! the calls that failed for such reasons.
//!
//! ## Signals
//!
//! SIGTERM and SIGINT drain: `/readyz` says 503, no new connection is taken, requests under way
//! have `listen.drain_timeout` to finish, open streams are ended, stores are closed. SIGHUP
//! reloads certificates (the authorities and revocation lists of client certificates included),
//! policies and the keys of issuers; what is broken is reported and not taken.
//!
//! ## Policies
//!
//! `policies/README.md` says how they are written, tested and exchanged. `memgate policy template
//! list` shows ready ones. A policy directory (`policy.directory`) is looked at every
//! `policy.reload_interval`; a set that does not pass its checks never comes into force, and
//! `/readyz?verbose`, `/admin/stats` and the log say so.
//!
//! ## Why was this refused?
//!
//! Every refusal carries a request id. `memgate policy explain ID`, or `GET /admin/explain/ID` with
//! an operator's key, says which layer refused it (host, origin, address limit, credential, key
//! limit, places, route policy, tool policy, arguments, tool limit, …), by which policies, and who
//! asked for what. Nothing that the request carried is kept. The memory is bounded and ends with
//! the process: 3,072 refusals of known callers, 1,024 of strangers, the oldest go first.
//!
//! ## The record of decisions
//!
//! `<data>/audit/` holds one record for each decision; [its page](crate::manual::audit) says what
//! is in it, how `memgate audit verify` finds what was done to it, and what to keep elsewhere.
//!
//! ## One process, one directory
//!
//! The embedded store belongs to one process: a lock file keeps a second one out, and a network
//! file system is refused, because SQLite's locks do not hold there. In Kubernetes that means a
//! `StatefulSet` with one replica and a `ReadWriteOncePod` claim, as in `k8s/`.
