//! The keys: their records in memory, their hashes at rest.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::domain::{
    Result,
    key::{KeyId, KeyRecord, Role},
    pack::Packs,
    secret::Secret,
    tenant::{Tenant, TenantLabel},
};
use jiff::Timestamp;

/// Every key of this deployment, those from the environment included.
#[derive(Debug)]
pub struct Keyring {}

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Agent or operator.
    pub role: Role,
    /// The tenant of an agent key.
    pub tenant: Option<Tenant>,
    /// What its owner calls it.
    pub name: String,
    /// Its packs, or the deployment's default.
    pub packs: Option<Packs>,
    /// Other tenants it may name in `user_id`.
    pub act_as: Vec<TenantLabel>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// A live key: its record, and the token that is cancelled when it is revoked or expires.
#[derive(Debug)]
pub struct Key {
    /// What is known of it.
    pub record: KeyRecord,
    /// Cancelled at the moment the key stops working (I9).
    pub gone: CancellationToken,
}

impl Keyring {
    /// Makes a key; the secret is shown to its owner once and kept nowhere.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub fn create(&self, new: NewKey) -> Result<(Arc<Key>, Secret)> {
        let _ = new;
        todo!()
    }

    /// The key with this id, revoked and expired ones included.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<Arc<Key>> {
        let _ = id;
        todo!()
    }

    /// Every key, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Key>> {
        todo!()
    }

    /// Revokes a key: when this returns, no request with it succeeds. Returns false when there
    /// is no such key.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written; the key then still works.
    pub fn revoke(&self, id: &KeyId) -> Result<bool> {
        let _ = id;
        todo!()
    }
}
