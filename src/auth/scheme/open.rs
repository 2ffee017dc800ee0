//! Authentication switched off: everybody is an agent of tenant `default`.
//!
//! In the list only when `auth.disabled` is set, which start-up refuses off the loopback
//! address. Nobody is an operator this way: administration goes through the control socket.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Attempt, Presented, Scheme};
use crate::{
    auth::Principal,
    config::auth::DEFAULT_TENANT,
    domain::{
        Result,
        bounds::Bounds,
        clock::Clock,
        key::{KeyId, KeyRecord, Role},
        pack::Packs,
        tenant::TenantLabel,
    },
    registry::{keyring::Key, tenants::Tenants},
    telemetry::stats::AuthOutcome,
};

/// Accepts everybody.
#[derive(Debug)]
pub(in crate::auth) struct Open {
    agent: Principal,
}

impl Open {
    pub(in crate::auth) fn new(tenants: &Tenants, packs: Packs, clock: &dyn Clock) -> Result<Self> {
        let record = KeyRecord {
            id: KeyId::named(&TenantLabel::parse("open")?),
            role: Role::Agent,
            tenant: Some(tenants.ensure(&TenantLabel::parse(DEFAULT_TENANT)?)?),
            name: "authentication is off".to_owned(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            created_at: clock.now(),
            expires_at: None,
            revoked_at: None,
        };
        Ok(Self { agent: Principal::new(Arc::new(Key::unlisted(record)), packs) })
    }
}

#[async_trait]
impl Scheme for Open {
    async fn attempt(&self, _: Presented<'_>) -> Result<Attempt> {
        Ok(Attempt::Accepted(self.agent.clone(), AuthOutcome::Verified))
    }
}
