//! The proof that a decision was made.
//!
//! Outside this room there is no way to make one. INVARIANT I2, held by the compiler:
//!
//! ```compile_fail,E0624
//! // i2_a_permit_cannot_be_built_outside_policy
//! use memgate::{domain::{action::{Action, Resource}, key::KeyId}, policy::Permit};
//! let key = KeyId::parse("000000000000").unwrap();
//! let forged = Permit::new(Action::MemoryRead, Resource::Deployment, key, [].into());
//! ```
//!
//! ```compile_fail,E0451
//! // i2_a_permit_has_no_public_field
//! use memgate::{domain::{action::{Action, Resource}, key::KeyId, reach::Reach}, policy::Permit};
//! let (action, resource) = (Action::MemoryRead, Resource::Deployment);
//! let key = KeyId::parse("000000000000").unwrap();
//! let forged = Permit { action, resource, key, reach: Reach::ALL, because: [].into() };
//! ```
//!
//! ```compile_fail,E0599
//! // i2_a_permit_cannot_be_doubled
//! fn twice(permit: memgate::policy::Permit) -> [memgate::policy::Permit; 2] {
//!     [permit.clone(), permit]
//! }
//! ```

use std::sync::Arc;

use crate::domain::{
    action::{Access, Action, Resource},
    key::KeyId,
    reach::Reach,
    tenant::TenantId,
};

/// The ids of the policies that decided.
pub type Because = Arc<[Box<str>]>;

/// One allowed action on one resource. INVARIANT I2: only this room makes one; it is not
/// `Clone`, so one decision opens one thing once.
#[derive(Debug)]
pub struct Permit {
    action: Action,
    resource: Resource,
    key: KeyId,
    reach: Reach,
    because: Because,
}

impl Permit {
    pub(in crate::policy) fn new(
        action: Action,
        resource: Resource,
        key: KeyId,
        because: Because,
    ) -> Self {
        Self { action, resource, key, reach: Reach::ALL, because }
    }

    /// The same, for the memories in reach of the key.
    pub(in crate::policy) fn within(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// What is allowed.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// Whether it may write.
    #[must_use]
    pub fn access(&self) -> Access {
        self.action.access()
    }

    /// The tenant it is allowed on; `None` for the deployment.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match &self.resource {
            Resource::Tenant(id) => Some(id),
            Resource::Deployment => None,
        }
    }

    /// The memories it is about: the store holds to it, whoever asks.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The key that asked.
    #[must_use]
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// The policies that permit it.
    #[must_use]
    pub fn because(&self) -> &Because {
        &self.because
    }
}
