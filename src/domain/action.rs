//! The closed list of what can be permitted, and what it can be permitted on.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tenant::TenantId;

/// Does an action change anything?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It only reads.
    Read,
    /// It may write. As the bound of a key it is none.
    #[default]
    Write,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $access:ident;)+) => {
        /// Everything that policy decides about. The same names stand in
        /// `policies/schema.cedarschema`; a test holds the two lists together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action { $($(#[$doc])* $name,)+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in policies, logs and audit records.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Whether it may write.
            #[must_use]
            pub fn access(self) -> Access {
                match self { $(Self::$name => Access::$access,)+ }
            }

            /// Whether it only takes rights away. Such a thing is done even when it cannot be
            /// recorded: a full disk does not save a stolen key.
            #[must_use]
            pub fn takes_away(self) -> bool {
                matches!(self, Self::SessionEnd | Self::KeyRevoke)
            }
        }
    };
}

actions! {
    /// Use `/mcp` at all.
    Connect = "connect", Read;
    /// Read and search memories.
    MemoryRead = "memory_read", Read;
    /// Store and change memories.
    MemoryWrite = "memory_write", Write;
    /// Delete memories.
    MemoryDelete = "memory_delete", Write;
    /// Read the profile built from memories.
    ProfileRead = "profile_read", Read;
    /// Read one tenant's own counts.
    UsageRead = "usage_read", Read;
    /// Use the demo tools.
    DemoUse = "demo_use", Read;
    /// List sessions.
    SessionList = "session_list", Read;
    /// End a session.
    SessionEnd = "session_end", Write;
    /// Read the deployment's counts.
    StatsRead = "stats_read", Read;
    /// Read why a request was refused.
    RefusalRead = "refusal_read", Read;
    /// Read and verify the record of decisions.
    AuditRead = "audit_read", Read;
    /// List tenants.
    TenantList = "tenant_list", Read;
    /// Make a tenant.
    TenantCreate = "tenant_create", Write;
    /// List keys.
    KeyList = "key_list", Read;
    /// Make a key.
    KeyCreate = "key_create", Write;
    /// Revoke a key.
    KeyRevoke = "key_revoke", Write;
    /// Give a key a new secret.
    KeyRotate = "key_rotate", Write;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// One tenant's memory.
    Tenant(TenantId),
    /// The deployment as a whole: sessions, keys, tenants, statistics.
    Deployment,
}
