//! Keys from the environment, and what the verifier may spend.

use std::time::Duration;

use crate::domain::{key::Role, secret::Secret, tenant::TenantLabel};

/// `[auth]`
#[derive(Debug, Clone)]
pub struct Auth {
    /// No credential is asked for; every caller is tenant `default`. Loopback only.
    pub disabled: bool,
    /// Keys that live in memory only (`MCP_API_KEY`, `MCP_API_KEYS`, `MCP_ADMIN_KEY`).
    pub environment_keys: Vec<EnvironmentKey>,
    /// argon2 verifications at once (each takes 19 MiB and tens of milliseconds).
    pub verifier_permits: usize,
    /// Verifications that may wait; beyond it the caller gets 503.
    pub verifier_queue: usize,
    /// Verified keys that are remembered.
    pub cache_capacity: u64,
    /// For how long.
    pub cache_ttl: Duration,
}

/// A key from the environment.
#[derive(Debug, Clone)]
pub struct EnvironmentKey {
    /// The tenant it opens, made on start if missing; operators have none.
    pub tenant: Option<TenantLabel>,
    /// Agent or operator.
    pub role: Role,
    /// The whole key, any text of at least 16 characters.
    pub secret: Secret,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            disabled: false,
            environment_keys: Vec::new(),
            verifier_permits: 2,
            verifier_queue: 8,
            cache_capacity: 100_000,
            cache_ttl: Duration::from_secs(600),
        }
    }
}
