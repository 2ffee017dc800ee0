//! The control socket: who can open it owns the data directory, and is an operator.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Attempt, Presented, Scheme, Via};
use crate::{
    auth::Principal,
    domain::{
        Result,
        bounds::Bounds,
        clock::Clock,
        key::{KeyId, KeyRecord, Role},
        pack::Packs,
        tenant::TenantLabel,
    },
    registry::keyring::Key,
    telemetry::stats::AuthOutcome,
};

/// Accepts whoever comes through the control socket.
#[derive(Debug)]
pub(in crate::auth) struct Local {
    operator: Principal,
}

impl Local {
    pub(in crate::auth) fn new(clock: &dyn Clock) -> Result<Self> {
        let record = KeyRecord {
            id: KeyId::named(&TenantLabel::parse("local")?),
            role: Role::Operator,
            tenant: None,
            name: "the control socket".to_owned(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            created_at: clock.now(),
            expires_at: None,
            revoked_at: None,
        };
        Ok(Self { operator: Principal::new(Arc::new(Key::unlisted(record)), Packs::default()) })
    }
}

#[async_trait]
impl Scheme for Local {
    async fn attempt(&self, presented: Presented<'_>) -> Result<Attempt> {
        Ok(match presented.origin.via {
            Via::ControlSocket => Attempt::Accepted(self.operator.clone(), AuthOutcome::Verified),
            Via::Network => Attempt::NotPresented,
        })
    }
}
