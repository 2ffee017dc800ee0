//! # Architecture
//!
//! memgate is one process that serves memory to many apps. Each app's key opens one tenant's
//! memory, and nothing else.
//!
//! ## The order of the rooms
//!
//! The order of the modules is the order in which a request earns its rights, and imports point
//! left only:
//!
//! ```text
//! domain → config → telemetry → db → registry → limits → auth → policy → audit → store
//!        → tools → mcp → http → app → cli → main
//! ```
//!
//! | from | through | comes | made only by |
//! |---|---|---|---|
//! | a credential | [`auth`](crate::auth) | a [`Principal`](crate::auth::Principal) | `auth` |
//! | a principal and an action | [`policy`](crate::policy) | a [`Permit`](crate::policy::Permit) | `policy` |
//! | a permit | [`store`](crate::store) | an open [`TenantStore`](crate::store::TenantStore) | `store` |
//! | an open store and arguments | [`tools`](crate::tools) | an [`Answer`](crate::tools::Answer) | a tool |
//!
//! The constructors of the proofs are private to their rooms, so a shortcut does not compile.
//! The order of imports is held by `tests/tidy.rs`, which names file and module when somebody
//! turns an arrow round.
//!
//! ## Two planes
//!
//! [`registry`](crate::registry) is the control plane: tenants, keys, sessions, everything that
//! is needed *before* a decision exists. [`store`](crate::store) is the data plane: memories,
//! reachable only *after* one. They share the way a database is opened ([`db`](crate::db)) and
//! nothing else: no function of the control plane can read a memory, and an operator's key has
//! no tenant at all.
//!
//! ## Why one crate
//!
//! What a workspace of small crates would give, the compiler stopping wrong imports, is given
//! here by private constructors (for the rules that matter to security) and by the tidy test (for
//! the rest), without version lockstep and without widening every item to `pub`. Each room can
//! still be lifted out as a crate, because nothing to its right is named in it.
//!
//! ## Why `limits` stands before `auth`
//!
//! A failed credential counts against an address and a key id, a request against a key, a tool
//! call against a key, a stream against a tenant. All of them are counted in one room that knows
//! only words of [`domain`](crate::domain), so `auth`, `mcp` and `http` ask the same limiter and
//! answer with the same numbers.
//!
//! ## Why `audit` is asked before a change and told before the answer
//!
//! A record that is written after the answer can be lost with the process, and a log that is full
//! would turn every change into one that nobody can prove. So a change is begun only while the log
//! can be written, and its answer waits for the disk; records of one moment share one write.
//! A decision is recorded in one of two places: [`mcp::dispatch`](crate::mcp::dispatch) for what is
//! done with a memory, the access log's layer for every other request. A slot on the request keeps
//! it to one ([`audit`](crate::audit), and the page on [the record](crate::manual::audit)).
//!
//! ## Why one rmcp service per tenant
//!
//! rmcp finds a session by its id and never learns who asks: with one shared service, a foreign
//! session id opens a foreign stream. Here each tenant has a service and a session table of its
//! own, and the ledger checks before rmcp sees the request that the session belongs to the very
//! key that asks. One of the two would do; both hold, and each has its test.
//!
//! ## Why the ledger keeps sessions
//!
//! rmcp holds tasks and channels for every session, about 60 KiB, so that a handler may speak to
//! the client at any time. Ours only ever answer. For such handlers a session is an entry in the
//! ledger and nothing else: `initialize` is answered at once, a message in the session is served
//! like one that stands alone, and the stream that a client may open stays silent. Handlers that
//! do speak first keep rmcp's sessions, and then entry and session live and die together; the
//! conformance suite drives these, and the tests of the gateway run over both.
//!
//! ## Why plain calls pass rmcp by
//!
//! rmcp reads each message into types that hold any message there is, and runs it in tasks of
//! its own with channels between them. Measured by counting instructions, that is three quarters
//! of what a small tool call costs, and all of our checks together are a small part of the rest.
//! A plain tool call (name, arguments, no more) needs none of it, so the gateway hands it to the
//! dispatcher itself (`mcp::direct`). Nothing is decided twice: era, headers, session and limits
//! are checked before the two ways part, and they meet again before a tool is even looked up.
//! One test sends the same calls both ways and compares the answers to the word.
//!
//! ## Why a pre-parser
//!
//! Two parsers that disagree are a hole: whatever judges the request must see what the tool will
//! see. [`mcp`](crate::mcp) therefore refuses, before rmcp parses anything, every body on which
//! parsers are known to differ: duplicate keys, a byte order mark, trailing bytes, batches,
//! depth, lone surrogates.
//!
//! ## Why policy errors deny
//!
//! Cedar skips a policy that fails to evaluate, so a `forbid` with a mistake in it would vanish.
//! [`policy`](crate::policy) loads nothing that does not validate strictly against the schema,
//! and treats every evaluation error as a denial.
//!
//! ## Why the control socket
//!
//! An operator on the machine needs no key to list sessions: memgate listens on
//! `<data>/control.sock`, which only the owner of the data directory can open, and who owns the
//! data directory owns everything in it already. The socket serves the same admin routes, with
//! the same policy, and no others.
