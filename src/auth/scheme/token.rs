//! Tokens of an identity provider, where one is configured.
//!
//! Stands before the API keys. A bearer text that looks like a token is judged here and by
//! nobody else: a bad token never falls through to a scheme that might take it for something
//! else. A token that is good and opens nothing here is refused as forbidden, not as bad: its
//! bearer has proved who it is, and another token from the same place would be no better.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use super::{Attempt, Presented, Reason, Rejection, Scheme};
use crate::{
    auth::{
        Credential, Principal,
        token::{
            self,
            flaw::Flaw,
            grant::Grant,
            remembered::{Good, Remembered, SignedBy},
            rules::Rules,
            source::{IssuerStatus, Source},
            text::Token,
        },
    },
    config,
    domain::{
        Error, Result,
        bounds::Bounds,
        client::is_hidden,
        clock::Clock,
        key::{KeyId, KeyRecord},
        pack::Packs,
        tenant::{Tenant, TenantLabel},
    },
    registry::{Registry, fingerprint::Fingerprint, keyring::Keyring, tenants::Tenants},
    telemetry::stats::AuthOutcome,
};

/// What the bearer of a good token reads that opens nothing.
const NOWHERE: &str = "this token opens no memory here";
/// The longest part of a subject that is shown.
const MAX_SHOWN_CHARS: usize = 64;

/// Accepts the tokens of the configured issuers.
#[derive(Debug)]
pub(in crate::auth) struct Tokens {
    issuers: Vec<(Rules, Source)>,
    /// Makes the fingerprints.
    keys: Arc<Keyring>,
    tenants: Arc<Tenants>,
    remembered: Remembered,
    default_packs: Packs,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

/// What became of a token that had to be verified.
enum Verdict {
    Good(Good),
    Bad(Flaw),
}

impl Tokens {
    /// Reads files of keys and makes the tenants that the settings name. Blocks: start-up only.
    ///
    /// # Errors
    /// `BadInput` for a file that cannot be used; `Unavailable` when a tenant cannot be made.
    pub(in crate::auth) fn new(
        registry: &Registry,
        settings: &config::auth::Auth,
        default_packs: Packs,
        clock: &Arc<dyn Clock>,
        tasks: &TaskTracker,
    ) -> Result<Self> {
        let mut issuers = Vec::new();
        for issuer in &settings.issuers {
            for label in issuer.tenant_map.values().chain(&issuer.tenants) {
                registry.tenants.ensure(label)?;
            }
            let source = Source::new(issuer, Arc::clone(clock), tasks.clone())?;
            issuers.push((Rules::new(issuer, settings), source));
        }
        Ok(Self {
            issuers,
            keys: Arc::clone(&registry.keys),
            tenants: Arc::clone(&registry.tenants),
            remembered: Remembered::new(settings.cache_capacity),
            default_packs,
            clock: Arc::clone(clock),
            tasks: tasks.clone(),
        })
    }

    /// Once a second: ends what hangs on tokens that are over, and has keys fetched that are
    /// due. Must be called within a runtime.
    pub(in crate::auth) fn tend(&self) {
        for (_, source) in &self.issuers {
            source.tend();
        }
        self.remembered.sweep(self.clock.as_ref(), |by| self.is_signed(by));
    }

    /// Everything is read and verified anew.
    pub(in crate::auth) fn reload(&self) {
        for (_, source) in &self.issuers {
            source.reload();
        }
        self.remembered.forget_all();
        self.remembered.sweep(self.clock.as_ref(), |by| self.is_signed(by));
    }

    /// The issuers as operators see them.
    pub(in crate::auth) fn status(&self) -> Vec<IssuerStatus> {
        self.issuers.iter().map(|(_, source)| source.status()).collect()
    }

    fn is_signed(&self, by: &SignedBy) -> bool {
        self.issuers.get(by.issuer).is_some_and(|(_, source)| source.still_has(&by.digest))
    }

    async fn judge(&self, text: &str) -> Result<Attempt> {
        let fingerprint = self.keys.fingerprint(text);
        if let Some(good) = self.remembered.recall(&fingerprint) {
            if self.is_signed(&good.by) && good.key.works(self.clock.as_ref()) {
                return Ok(self.accept(&good, AuthOutcome::Cached));
            }
            self.remembered.forget(&fingerprint);
        }
        Ok(match self.verify(text, fingerprint).await? {
            Verdict::Good(good) if good.key.works(self.clock.as_ref()) => {
                self.accept(&good, AuthOutcome::Verified)
            }
            Verdict::Good(good) => rejected(Flaw::Expired, Some(good.key.record.id.clone())),
            // Nobody vouches for what it says of its bearer.
            Verdict::Bad(flaw) => rejected(flaw, None),
        })
    }

    async fn verify(&self, text: &str, fingerprint: Fingerprint) -> Result<Verdict> {
        let token = match Token::read(text) {
            Ok(token) => token,
            Err(flaw) => return Ok(Verdict::Bad(flaw)),
        };
        let issuers = self.issuers.iter().enumerate();
        let found = issuers.into_iter().find(|(_, (r, _))| r.issuer.issuer == token.claims.issuer);
        let Some((issuer, (rules, source))) = found else { return Ok(Verdict::Bad(Flaw::Issuer)) };
        if let Err(flaw) = rules.check(&token, self.clock.now().as_second()) {
            return Ok(Verdict::Bad(flaw));
        }
        // INVARIANT I7: only a token that every other rule likes can have keys fetched.
        let Some(key) = source.find(token.header.kid.as_deref()).await? else {
            return Ok(Verdict::Bad(Flaw::Key));
        };
        if let Err(flaw) = key.verify(&token, rules) {
            return Ok(Verdict::Bad(flaw));
        }
        // From here on the issuer vouches for every word.
        let (record, grant) = self.record(&token, rules).await?;
        let by = SignedBy { issuer, digest: *key.digest() };
        Ok(Verdict::Good(self.remembered.remember(fingerprint, record, grant.scopes, by)))
    }

    async fn record(&self, token: &Token<'_>, rules: &Rules) -> Result<(KeyRecord, Grant)> {
        let (claims, issuer) = (&token.claims, &rules.issuer.issuer);
        let grant = Grant::of(claims, rules).map_err(|nothing| {
            tracing::info!(issuer, why = nothing.as_str(), "a good token opens nothing");
            Rejection::nowhere(Some(KeyId::of_token(issuer, &claims.subject, None)), NOWHERE)
        })?;
        let id = KeyId::of_token(issuer, &claims.subject, grant.tenant.as_ref());
        let tenant = match &grant.tenant {
            None => None,
            Some(label) => Some(self.tenant(label, &id, rules).await?),
        };
        let end = Timestamp::from_second(rules.end(claims.expires)).map_err(Error::internal)?;
        let record = KeyRecord {
            id,
            role: grant.role,
            tenant,
            name: claims.subject.chars().filter(|c| !is_hidden(*c)).take(MAX_SHOWN_CHARS).collect(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            created_at: self.clock.now(),
            expires_at: Some(end),
            revoked_at: None,
        };
        Ok((record, grant))
    }

    async fn tenant(&self, label: &TenantLabel, holder: &KeyId, rules: &Rules) -> Result<Tenant> {
        if let Some(tenant) = self.tenants.by_label(label) {
            return Ok(tenant);
        }
        if !rules.issuer.create_tenants {
            let issuer = &rules.issuer.issuer;
            tracing::info!(issuer, tenant = %label, "a good token is for a tenant that is not there");
            return Err(Rejection::nowhere(Some(holder.clone()), NOWHERE));
        }
        let (tenants, label) = (Arc::clone(&self.tenants), label.clone());
        self.tasks.spawn_blocking(move || tenants.ensure(&label)).await.map_err(Error::internal)?
    }

    fn accept(&self, good: &Good, how: AuthOutcome) -> Attempt {
        let principal = Principal::new(Arc::clone(&good.key), self.default_packs);
        Attempt::Accepted(principal.narrowed(good.scopes), how)
    }
}

#[async_trait]
impl Scheme for Tokens {
    async fn attempt(&self, presented: Presented<'_>) -> Result<Attempt> {
        match presented.credential {
            Some(Credential::Bearer(text)) if token::looks_like_one(text) => self.judge(text).await,
            _ => Ok(Attempt::NotPresented),
        }
    }
}

fn rejected(flaw: Flaw, holder: Option<KeyId>) -> Attempt {
    Attempt::Rejected(Rejection { reason: Reason::Token(flaw), key: holder })
}
