//! The proof that a caller is known.

use std::{net::IpAddr, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        client::ClientInfo,
        key::{KeyId, KeyRecord, Role},
        pack::Packs,
        tenant::{Tenant, TenantLabel},
    },
    registry::{keyring::Key, ledger::Caller},
};

/// A known caller. INVARIANT I2: only this room makes one.
#[derive(Debug, Clone)]
pub struct Principal {
    key: Arc<Key>,
    default_packs: Packs,
}

impl Principal {
    pub(in crate::auth) fn new(key: Arc<Key>, default_packs: Packs) -> Self {
        Self { key, default_packs }
    }

    /// The tenant that the credential opens. INVARIANT I1: this is the only source of a tenant.
    /// Operators have none.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.record().tenant.as_ref()
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.record().id
    }

    /// What the key is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.record().role
    }

    /// The packs it sees.
    #[must_use]
    pub fn packs(&self) -> Packs {
        self.record().packs.unwrap_or(self.default_packs)
    }

    /// Tenants it may name besides its own.
    #[must_use]
    pub fn act_as(&self) -> &[TenantLabel] {
        &self.record().act_as
    }

    /// Cancelled when the credential stops working (I9).
    #[must_use]
    pub fn gone(&self) -> &CancellationToken {
        &self.key.gone
    }

    /// This caller, as the session ledger wants to know it.
    #[must_use]
    pub fn caller(&self, client: ClientInfo, protocol: String, address: IpAddr) -> Caller {
        Caller { key: Arc::clone(&self.key), client, protocol, address }
    }

    fn record(&self) -> &KeyRecord {
        &self.key.record
    }
}
