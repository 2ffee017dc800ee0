//! What the control plane asks of a database: one read of everything at start, and small
//! writes afterwards.
//!
//! **To add a backend:** implement [`ControlStore`] in a file beside `sqlite.rs`, give it its
//! own `migrations/<name>/`, run `conformance` over it in its tests, and choose it in
//! [`Registry::open`](super::Registry::open). Between `load` and the end of the process the
//! memory is the truth that callers see, so a write that returns `Ok` must be on disk (I6), and
//! one that returns an error must not be.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::{keyring::Proof, ledger::Totals};
use crate::domain::{
    Result,
    key::{KeyId, KeyRecord},
    last_use::LastUse,
    tenant::Tenant,
};

/// A key as it lies on disk.
#[derive(Debug)]
pub(in crate::registry) struct StoredKey {
    pub(in crate::registry) record: KeyRecord,
    /// The present secret's, and the one before it while that is kept.
    pub(in crate::registry) proofs: Vec<Arc<Proof>>,
    pub(in crate::registry) last_use: Option<LastUse>,
}

/// Everything, as it was when the process before this one ended.
#[derive(Debug)]
pub(in crate::registry) struct Loaded {
    pub(in crate::registry) tenants: Vec<Tenant>,
    pub(in crate::registry) keys: Vec<StoredKey>,
    pub(in crate::registry) totals: Totals,
    pub(in crate::registry) tag_key: TagKey,
}

/// The key under which tags are made.
pub(in crate::registry) struct TagKey(pub(in crate::registry) [u8; 32]);

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(…)")
    }
}

/// A database that keeps the control plane. Every method blocks.
pub(in crate::registry) trait ControlStore: fmt::Debug + Send + Sync {
    /// Reads everything. A row that breaks a rule is an error, never skipped (I3). A new
    /// database starts with `fresh` as its tag key and totals that count from `now`.
    fn load(&self, fresh: &TagKey, now: Timestamp) -> Result<Loaded>;

    /// Writes a tenant; `Conflict` when its label is taken.
    fn insert_tenant(&self, tenant: &Tenant) -> Result<()>;

    /// Writes a key; `NotFound` when its tenant is not there.
    fn insert_key(&self, record: &KeyRecord, proof: &Proof) -> Result<()>;

    /// Marks a key revoked.
    fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<()>;

    /// Puts `proof` in the place of the key's present one, which is kept beside it until `end`,
    /// in the place of whatever was kept there.
    fn rotate_key(&self, id: &KeyId, proof: &Proof, end: Timestamp) -> Result<()>;

    /// Notes when keys were last used, all or none.
    fn save_uses(&self, uses: &[(KeyId, LastUse)]) -> Result<()>;

    /// Replaces the totals.
    fn save_totals(&self, totals: &Totals) -> Result<()>;
}
