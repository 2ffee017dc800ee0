//! The one place where a decision is made.

use super::Permit;
use crate::{
    auth::Principal,
    domain::{
        Result,
        action::{Action, Resource},
    },
};

/// A loaded, validated policy set.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Decides. INVARIANT I3: no matching permit, a matching forbid, or any evaluation error
    /// denies.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        resource: Resource,
    ) -> Result<Permit> {
        let _ = (principal, action, resource);
        todo!()
    }
}
