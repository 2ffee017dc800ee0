//! Requests under way and open streams, per tenant.

use crate::{
    config,
    domain::{Result, tenant::TenantId},
};

/// Counts of what every tenant has under way.
#[derive(Debug)]
pub struct Places {}

/// A place taken; dropping it gives it back.
#[derive(Debug)]
pub struct Place {}

impl Places {
    /// Counters for these settings.
    #[must_use]
    pub fn new(settings: &config::limits::Limits) -> Self {
        let _ = settings;
        todo!()
    }

    /// A place for one request.
    ///
    /// # Errors
    /// `LimitReached` when the tenant has as many under way as it may.
    pub fn request(&self, tenant: &TenantId) -> Result<Place> {
        let _ = tenant;
        todo!()
    }

    /// A place for one open stream.
    ///
    /// # Errors
    /// `LimitReached` when the tenant has as many open as it may.
    pub fn stream(&self, tenant: &TenantId) -> Result<Place> {
        let _ = tenant;
        todo!()
    }
}
