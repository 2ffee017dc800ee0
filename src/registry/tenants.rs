//! The tenants: made on purpose, named by a unique label.

use crate::domain::{
    Result,
    tenant::{Tenant, TenantId, TenantLabel},
};

/// Every tenant of this deployment.
#[derive(Debug)]
pub struct Tenants {}

impl Tenants {
    /// Makes a tenant.
    ///
    /// # Errors
    /// `Conflict` when the label is taken.
    pub fn create(&self, label: &TenantLabel) -> Result<Tenant> {
        let _ = label;
        todo!()
    }

    /// The tenant with this label.
    #[must_use]
    pub fn by_label(&self, label: &TenantLabel) -> Option<Tenant> {
        let _ = label;
        todo!()
    }

    /// The tenant with this id.
    #[must_use]
    pub fn by_id(&self, id: &TenantId) -> Option<Tenant> {
        let _ = id;
        todo!()
    }

    /// Every tenant, by label.
    #[must_use]
    pub fn list(&self) -> Vec<Tenant> {
        todo!()
    }
}
