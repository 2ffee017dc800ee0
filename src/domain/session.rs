//! The ledger's view of a caller over time.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    client::ClientInfo,
    key::KeyId,
    random::{self, Entropy},
    tenant::{TenantId, TenantLabel, text},
};
use std::fmt;

/// A ledger entry's id: made by memgate, safe to show. It is not the protocol's session id,
/// which is a secret and is never shown.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// A new, random id (80 bits).
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(format!("s_{}", random::token(entropy, 16)).into())
    }

    /// Reads an id.
    ///
    /// # Errors
    /// Everything that [`SessionId::random`] could not have made.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = text.strip_prefix("s_").is_some_and(|rest| {
            rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        });
        if fits { Ok(Self(text.into())) } else { Err(Error::bad_input("not a session id")) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
text!(SessionId);

/// One caller as an operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionRecord {
    /// The ledger's own id.
    pub id: SessionId,
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// The tenant's label.
    pub tenant: TenantLabel,
    /// The key that called.
    pub key: KeyId,
    /// What the client says it is.
    pub client: ClientInfo,
    /// The protocol revision, for example `2026-07-28`.
    pub protocol: String,
    /// Where it called from last.
    pub address: IpAddr,
    /// The first request.
    pub first_seen: Timestamp,
    /// The newest request.
    pub last_seen: Timestamp,
    /// Requests so far.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Request bytes so far.
    pub bytes_in: u64,
    /// Answer bytes so far.
    pub bytes_out: u64,
    /// Streams open now.
    pub open_streams: u64,
}
