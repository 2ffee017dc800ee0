//! # The life of one request
//!
//! `tools/call store_memory`, by a key of tenant `acme`.
//!
//! 1. **Accept.** A place among all connections and among those of the address; `TCP_NODELAY`
//!    (without it an event stream waits 40 ms for every answer); the TLS handshake, the request
//!    head and the idle time each have a deadline; HTTP/2 has limits of its own.
//!    ([`http::server`](crate::http))
//! 2. **Anyone's traffic.** The outer layers give the request an id, mark credentials as
//!    unprintable, write one line of log, set the security headers on whatever comes back, turn a
//!    panic into a 500, find the client's address (trusted proxies only), refuse foreign hosts and
//!    origins, bound the body in size and time, answer CORS preflights, and count the address.
//!    An unknown path is a 404 here, before anybody is asked for a key.
//! 3. **Known callers.** The inner layers turn the credential into a principal, count the key,
//!    take one of the tenant's places, and ask policy whether this role may use this route.
//! 4. **MCP.** The pre-parser checks the bytes; the header fields must say what the body says; a
//!    protocol session must belong to this key. A call with a name and arguments and nothing else,
//!    which nearly every request is, goes straight on; anything more goes through the tenant's own
//!    rmcp service. Both end at the dispatcher, the one place where a tool name becomes an action:
//!    it asks policy for a permit, opens the store with it, and runs the tool within its time,
//!    with a net under panics.
//! 5. **Store.** The permit names the tenant, the tenant's id names the directory; a permit for
//!    reading cannot write. A write joins the tenant's queue, shares a commit with whatever waits
//!    beside it, and is acknowledged after the commit is on disk.
//!
//! ## Where the tenant comes from
//!
//! From the key's record, in [`auth`](crate::auth), once. It travels inside the principal, then
//! inside the permit, then as the name of a directory. No header, body, URL, session id or tool
//! argument is ever read as a tenant (I1). The one argument that looks like it, `user_id`, is
//! compared: it must be the caller's own tenant, or one that the key's `act_as` list names, and
//! in the second case policy decides about that other tenant.
