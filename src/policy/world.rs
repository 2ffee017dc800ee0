//! A key and some tenants that exist only to be asked about: for cases and for the matrix.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::facts::Directory;
use crate::domain::{
    Result,
    key::KeyId,
    tenant::{Tenant, TenantId, TenantLabel},
};

/// Tenants by label, made when they are first spoken of.
#[derive(Debug, Default)]
pub(super) struct World {
    tenants: BTreeMap<TenantLabel, Tenant>,
}

impl World {
    /// The tenant with this label.
    pub(super) fn tenant(&mut self, label: &TenantLabel) -> Result<Tenant> {
        if let Some(tenant) = self.tenants.get(label) {
            return Ok(tenant.clone());
        }
        let id = TenantId::parse(&format!("t_{:020}", self.tenants.len()))?;
        let tenant = Tenant { id, label: label.clone(), created_at: Timestamp::UNIX_EPOCH };
        self.tenants.insert(label.clone(), tenant.clone());
        Ok(tenant)
    }

    /// The key that asks.
    pub(super) fn key() -> Result<KeyId> {
        KeyId::parse("000000000000")
    }
}

impl Directory for World {
    fn by_label(&self, label: &TenantLabel) -> Option<Tenant> {
        self.tenants.get(label).cloned()
    }

    fn by_id(&self, id: &TenantId) -> Option<Tenant> {
        self.tenants.values().find(|tenant| tenant.id == *id).cloned()
    }
}
