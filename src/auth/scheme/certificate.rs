//! Client certificates, where the listener asks for them.
//!
//! Stands before tokens and keys. A certificate without a key is the credential
//! (`use = "alone"`), and then its holder is a caller like any other. A key or a token that comes
//! along is judged by its own scheme, and then both must open the same
//! ([`Certificates::agrees`]): whoever stole the one has not got the other.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use super::{Attempt, Origin, Presented, Reason, Rejection, Scheme, Via};
use crate::{
    auth::{
        Principal,
        certificate::{
            ClientCertificate, Trust,
            grant::{Grant, Rules},
        },
    },
    config::certificates::Use,
    domain::{
        Error, Result,
        bounds::Bounds,
        client::is_hidden,
        clock::Clock,
        key::{KeyId, KeyRecord},
        pack::Packs,
        tenant::{Tenant, TenantLabel},
    },
    registry::{Registry, keyring::Key, tenants::Tenants},
    telemetry::stats::AuthOutcome,
};

/// What the holder of a good certificate reads that opens nothing.
const NOWHERE: &str = "this certificate opens no memory here";
/// The longest part of a name that is shown.
const MAX_SHOWN_CHARS: usize = 64;

/// Accepts the client certificates that the listener verified.
#[derive(Debug)]
pub(in crate::auth) struct Certificates {
    rules: Rules,
    trust: Arc<Trust>,
    tenants: Arc<Tenants>,
    default_packs: Packs,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl Certificates {
    /// Makes the tenants that the settings name. Blocks: start-up only.
    ///
    /// # Errors
    /// `Unavailable` when a tenant cannot be made.
    pub(in crate::auth) fn new(
        registry: &Registry,
        rules: Rules,
        trust: Arc<Trust>,
        default_packs: Packs,
        clock: &Arc<dyn Clock>,
        tasks: &TaskTracker,
    ) -> Result<Self> {
        let named = rules.settings();
        for label in named.tenant_map.values().chain(&named.tenants) {
            registry.tenants.ensure(label)?;
        }
        Ok(Self {
            rules,
            trust,
            tenants: Arc::clone(&registry.tenants),
            default_packs,
            clock: Arc::clone(clock),
            tasks: tasks.clone(),
        })
    }

    /// Once a second: ends what hangs on certificates that are trusted no more.
    pub(in crate::auth) fn tend(&self) {
        self.trust.tend(self.clock.as_ref());
    }

    /// Whether a caller may have become known on this connection.
    ///
    /// SECURITY: asked for every caller of the network, whichever scheme accepted it, so that no
    /// scheme can be a way round. A certificate opens what it opens and nothing else, whatever key
    /// comes along; and where keys need one beside them, none works without. Tests:
    /// `i1_a_key_beside_the_certificate_of_another_tenant_is_refused`,
    /// `a_key_needs_a_certificate_beside_it`.
    pub(in crate::auth) fn agrees(&self, origin: Origin<'_>, principal: &Principal) -> bool {
        if origin.via == Via::ControlSocket {
            return true;
        }
        let Some(certificate) = origin.certificate else {
            return self.rules.settings().how == Use::Alone;
        };
        let is_same = |grant: Grant| {
            grant.role == principal.role()
                && grant.tenant.as_ref() == principal.tenant().map(|tenant| &tenant.label)
        };
        self.trust.still_has(certificate, self.clock.as_ref())
            && self.rules.grant(certificate.names()).is_ok_and(is_same)
    }

    async fn alone(&self, certificate: &ClientCertificate) -> Result<Attempt> {
        if !self.trust.still_has(certificate, self.clock.as_ref()) {
            let holder = self.rules.grant(certificate.names()).ok().map(|grant| grant.holder());
            return Ok(rejected(holder));
        }
        if let Some(holder) = certificate.holder() {
            return Ok(self.accept(holder, AuthOutcome::Cached));
        }
        let grant = self.rules.grant(certificate.names()).map_err(|nothing| {
            tracing::info!(why = nothing.as_str(), "a good client certificate opens nothing");
            Rejection::nowhere(None, NOWHERE)
        })?;
        let tenant = match &grant.tenant {
            None => None,
            Some(label) => Some(self.tenant(label, &grant).await?),
        };
        let record = KeyRecord {
            id: grant.holder(),
            role: grant.role,
            tenant,
            name: grant.name.chars().filter(|c| !is_hidden(*c)).take(MAX_SHOWN_CHARS).collect(),
            packs: self.rules.settings().packs,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            created_at: self.clock.now(),
            expires_at: Some(certificate.not_after()),
            revoked_at: None,
        };
        let holder = certificate.hold(Key::unlisted(record));
        // The certificate may have been ended between the look above and its having a holder.
        if certificate.gone().is_cancelled() {
            holder.gone.cancel();
        }
        Ok(self.accept(holder, AuthOutcome::Verified))
    }

    async fn tenant(&self, label: &TenantLabel, grant: &Grant) -> Result<Tenant> {
        if let Some(tenant) = self.tenants.by_label(label) {
            return Ok(tenant);
        }
        if !self.rules.settings().create_tenants {
            tracing::info!(tenant = %label, "a client certificate is for a tenant that is not there");
            return Err(Rejection::nowhere(Some(grant.holder()), NOWHERE));
        }
        let (tenants, label) = (Arc::clone(&self.tenants), label.clone());
        self.tasks.spawn_blocking(move || tenants.ensure(&label)).await.map_err(Error::internal)?
    }

    /// INVARIANT I9: the last look.
    fn accept(&self, holder: &Arc<Key>, how: AuthOutcome) -> Attempt {
        if !holder.works(self.clock.as_ref()) {
            return rejected(Some(holder.record.id.clone()));
        }
        Attempt::Accepted(Principal::new(Arc::clone(holder), self.default_packs), how)
    }
}

#[async_trait]
impl Scheme for Certificates {
    async fn attempt(&self, presented: Presented<'_>) -> Result<Attempt> {
        let is_alone = self.rules.settings().how == Use::Alone;
        match (presented.origin.certificate, presented.credential) {
            (Some(certificate), None) if is_alone => self.alone(certificate).await,
            _ => Ok(Attempt::NotPresented),
        }
    }
}

fn rejected(holder: Option<KeyId>) -> Attempt {
    Attempt::Rejected(Rejection { reason: Reason::Certificate, key: holder })
}
