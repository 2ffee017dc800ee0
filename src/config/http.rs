//! Which origins and hosts are ours, and whether plain HTTP is good enough.

use super::{
    form::{Flag, List, net},
    setting::{Setting, setting},
};

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Whether CORS answers are given at all (`ENABLE_CORS`).
    pub cors: bool,
    /// Exact origins, `scheme://host[:port]`; `*` must have been accepted in writing. The
    /// listener's own loopback origins always count on a loopback bind.
    pub allowed_origins: Vec<String>,
    /// Host names, `*.example.com` patterns; empty means the loopback names and the bind
    /// address.
    pub trusted_hosts: Vec<String>,
    /// The operator wrote out that `*` above is meant.
    pub accept_wildcards: bool,
    /// Plain HTTP gets 308 (GET, HEAD) or 403 (anything else).
    pub require_https: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            cors: true,
            allowed_origins: Vec::new(),
            trusted_hosts: Vec::new(),
            accept_wildcards: false,
            require_https: false,
        }
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(http.cors: Flag; "answer browsers' cross-origin requests (CORS)"),
    setting!(http.allowed_origins: List<net::Origin>; "web pages that may call, as exact origins"),
    setting!(http.trusted_hosts: List<net::HostPattern>;
        "`Host` values that are ours; empty means the loopback names and the bind address"),
    setting!(http.accept_wildcards: Flag;
        "`*` in the two lists above is meant, and so is a trusted proxy network of everybody"),
    setting!(http.require_https: Flag; "plain HTTP is answered with 308 or 403"),
];
