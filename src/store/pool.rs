//! The tenants whose databases are open.

use std::sync::Arc;

use super::TenantStore;
use crate::{domain::Result, policy::Permit};

/// Opens stores and keeps a bounded number of them open.
#[derive(Debug)]
pub struct TenantStores {}

impl TenantStores {
    /// Opens the permit's tenant. A permit for reading gives a store that refuses to write.
    ///
    /// # Errors
    /// `Unavailable` when the database is missing its marks, damaged, a link, or another
    /// tenant's; `Overloaded` when every place is in use.
    pub async fn open(&self, permit: Permit) -> Result<Arc<dyn TenantStore>> {
        let _ = permit;
        todo!()
    }
}
