//! Who is calling: a credential becomes a [`Principal`], and nothing else can make one (I2).
//!
//! An ordered list of schemes is asked. Each answers *not presented*, *accepted* or *rejected*,
//! and *rejected* ends the search: a bad credential never falls through as "none given". The
//! caller learns nothing of the reason: every refusal is the same `Unauthenticated`.

mod cache;
pub mod certificate;
pub mod credential;
pub mod principal;
pub mod scheme;
#[cfg(test)]
pub(crate) mod testing;
pub mod token;
mod verifier;

pub use certificate::ClientCertificate;
pub use credential::Credential;
pub use principal::Principal;
pub use scheme::{Origin, Rejection, Via};

use std::{fmt, net::IpAddr, sync::Arc};

use http::request::Parts;
use tokio_util::task::TaskTracker;

use self::{
    cache::Verified,
    certificate::{Trust, grant::Rules},
    scheme::{
        Attempt, Presented, Reason, Scheme, api_key::ApiKeys, certificate::Certificates,
        local::Local, open::Open, token::Tokens,
    },
    token::source::IssuerStatus,
    verifier::Verifier,
};
use crate::{
    config,
    domain::{Error, Kind, Result, clock::Clock, limits::Class, pack::Packs},
    limits::{decision::whole_seconds, rates::Rates},
    registry::Registry,
    telemetry::stats::{AuthOutcome, Stats},
};

/// Judges every request's credential.
#[derive(Debug)]
pub struct Authenticator {
    schemes: Vec<Arc<dyn Scheme>>,
    /// Also among the schemes.
    certificates: Option<Arc<Certificates>>,
    /// Also among the schemes.
    tokens: Option<Arc<Tokens>>,
    verifier: Arc<Verifier>,
    rates: Arc<Rates>,
    stats: Arc<Stats>,
    clock: Arc<dyn Clock>,
}

/// What an authenticator works with.
pub struct Means {
    /// Whose client certificates are good, where the listener asks for them.
    pub trust: Option<Arc<Trust>>,
    /// Counts bad credentials.
    pub rates: Arc<Rates>,
    /// Counts outcomes.
    pub stats: Arc<Stats>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where work in the background belongs.
    pub tasks: TaskTracker,
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").field("trust", &self.trust).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// The schemes that the settings ask for. Blocks when tenant `default` has to be made:
    /// start-up only.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made; `BadInput` for an issuer's file that cannot be used.
    pub fn new(
        registry: &Registry,
        settings: &config::auth::Auth,
        default_packs: Packs,
        means: Means,
    ) -> Result<Self> {
        let Means { trust, rates, stats, clock, tasks } = means;
        let certificates = trust
            .map(|trust| {
                let rules = Rules::new(&settings.certificates);
                Certificates::new(registry, rules, trust, default_packs, &clock, &tasks)
            })
            .transpose()?
            .map(Arc::new);
        let tokens = if settings.issuers.is_empty() {
            None
        } else {
            Some(Arc::new(Tokens::new(registry, settings, default_packs, &clock, &tasks)?))
        };
        let verifier = Arc::new(Verifier::new(settings, tasks));
        let local: Arc<dyn Scheme> = Arc::new(Local::new(clock.as_ref())?);
        let callers: Arc<dyn Scheme> = if settings.disabled {
            Arc::new(Open::new(&registry.tenants, default_packs, clock.as_ref())?)
        } else {
            Arc::new(ApiKeys::new(
                Arc::clone(&registry.keys),
                Arc::new(Verified::new(settings, Arc::clone(&clock))),
                Arc::clone(&verifier),
                default_packs,
                Arc::clone(&clock),
            ))
        };
        let holders = certificates.clone().map(|certificates| certificates as Arc<dyn Scheme>);
        let bearers = tokens.clone().map(|tokens| tokens as Arc<dyn Scheme>);
        let schemes = [Some(local), holders, bearers, Some(callers)];
        let schemes = schemes.into_iter().flatten().collect();
        Ok(Self { schemes, certificates, tokens, verifier, rates, stats, clock })
    }

    /// Who sends this request.
    ///
    /// # Errors
    /// `BadInput` for more than one credential, or one in the URL; `Unauthenticated` for none or
    /// a bad one, whatever is wrong with it; `Forbidden` for a good one that opens nothing. Behind
    /// these is the [`Rejection`], for the record. `LimitReached` instead, when too many bad ones came
    /// from this address or for this key; `Overloaded` when too many keys are being verified.
    pub async fn authenticate(&self, parts: &Parts, origin: Origin<'_>) -> Result<Principal> {
        // INVARIANT I1: of the whole request, only this credential is looked at.
        // Test: `i1_look_alike_headers_change_nothing`.
        let credential = Credential::find(&parts.headers, &parts.uri)
            .inspect_err(|_| self.stats.auth(AuthOutcome::Rejected))?;
        for scheme in &self.schemes {
            match scheme.attempt(Presented { credential, origin }).await? {
                Attempt::NotPresented => {}
                Attempt::Accepted(principal, _) if self.is_contradicted(origin, &principal) => {
                    let key = Some(principal.key_id().clone());
                    let rejection = Rejection { reason: Reason::Certificate, key };
                    return Err(self.reject(origin.address, rejection));
                }
                Attempt::Accepted(principal, outcome) => {
                    // SECURITY: the one place where a key's addresses and hours hold, whichever
                    // scheme knew it. INVARIANT I4: from elsewhere it is a key like any wrong one
                    // (`i4_a_key_outside_its_bounds_is_a_wrong_one`).
                    let Err(outside) = principal.admit(origin.address, self.clock.now()) else {
                        self.stats.auth(outcome);
                        return Ok(principal);
                    };
                    let key = Some(principal.key_id().clone());
                    let rejection = Rejection { reason: Reason::Outside(outside), key };
                    return Err(self.reject(origin.address, rejection));
                }
                Attempt::Rejected(rejection) => {
                    return Err(self.reject(origin.address, rejection));
                }
            }
        }
        self.stats.auth(AuthOutcome::Missing);
        Err(unauthenticated())
    }

    fn reject(&self, address: IpAddr, rejection: Rejection) -> Error {
        self.stats.auth(AuthOutcome::Rejected);
        self.refuse(address, rejection)
    }

    /// Once a second, within a runtime: what hangs on tokens and client certificates that are over
    /// is ended, and the keys of issuers that are due are fetched.
    pub fn tend(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.tend();
        }
        if let Some(tokens) = &self.tokens {
            tokens.tend();
        }
    }

    /// Whether the connection says otherwise than the credential.
    fn is_contradicted(&self, origin: Origin<'_>, principal: &Principal) -> bool {
        let certificates = self.certificates.as_ref();
        certificates.is_some_and(|certificates| !certificates.agrees(origin, principal))
    }

    /// Reads the keys of issuers anew, and has every token verified again. Reads files: call it
    /// from the blocking pool, within a runtime.
    pub fn reload(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.reload();
        }
    }

    /// The issuers of tokens as operators see them.
    #[must_use]
    pub fn issuers(&self) -> Vec<IssuerStatus> {
        self.tokens.as_ref().map(|tokens| tokens.status()).unwrap_or_default()
    }

    /// How often argon2 ran since the start.
    #[must_use]
    pub fn argon2_runs(&self) -> u64 {
        self.verifier.runs()
    }

    /// SECURITY: the limit is asked only for what was found bad, so nobody can lock a good key
    /// out by sending bad ones from the same address, or by naming its id. The costly step is
    /// guarded by the tag, the bounded pool and the memory of wrong texts instead.
    /// Test: `bad_keys_are_limited_and_the_good_one_beside_them_is_not`.
    fn refuse(&self, address: IpAddr, rejection: Rejection) -> Error {
        let key = rejection.key.as_ref();
        let decision = self.rates.may_attempt(address, key);
        if !decision.allowed {
            self.stats.limited(Class::Failures);
            let retry_after = decision.retry_after;
            return Error::new(
                Kind::LimitReached(decision.reached()),
                format!("too many bad credentials; retry in {} s", whole_seconds(retry_after)),
            )
            .caused_by(rejection);
        }
        self.rates.failed(address, key);
        tracing::debug!(reason = rejection.reason(), key = key.map(tracing::field::display), %address, "credential refused");
        unauthenticated().caused_by(rejection)
    }
}

fn unauthenticated() -> Error {
    Error::new(Kind::Unauthenticated, "unauthorized")
}

#[cfg(test)]
mod tests;
