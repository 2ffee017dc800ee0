//! The proof that a caller is known.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        Error, Kind, Result,
        action::Action,
        bounds::{Bounds, Outside},
        client::ClientInfo,
        key::{KeyId, KeyRecord, Role},
        pack::Packs,
        scope::Scopes,
        tenant::{Tenant, TenantLabel},
    },
    registry::{
        keyring::{Key, Proof},
        ledger::Caller,
    },
};

/// A known caller.
///
/// INVARIANT I2: only this room makes one. Tests: `i2_only_auth_makes_a_principal`, and this
/// code, which would compile if the constructor or the fields could be reached:
///
/// ```compile_fail
/// fn forge(real: memgate::auth::Principal) -> memgate::auth::Principal {
///     memgate::auth::Principal { ..real }
/// }
/// ```
/// ```compile_fail
/// use memgate::{auth::Principal, domain::pack::Packs, registry::keyring::Key};
/// fn forge(key: std::sync::Arc<Key>) -> Principal {
///     Principal::new(key, Packs::default())
/// }
/// ```
/// The same names compile as long as nothing is forged:
/// ```
/// use memgate::{auth::Principal, domain::pack::Packs, registry::keyring::Key};
/// fn look(_: std::sync::Arc<Key>, real: &Principal) -> Packs {
///     real.packs()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Principal {
    key: Arc<Key>,
    proof: Option<Arc<Proof>>,
    default_packs: Packs,
    scopes: Scopes,
}

impl Principal {
    pub(in crate::auth) fn new(key: Arc<Key>, default_packs: Packs) -> Self {
        Self { key, proof: None, default_packs, scopes: Scopes::ALL }
    }

    /// The same caller, known by this one of its key's secrets.
    pub(in crate::auth) fn proved(mut self, proof: Arc<Proof>) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Whether the key may be used from `address` at `now`, and a note that it was.
    ///
    /// # Errors
    /// Which of its bounds it is outside of.
    pub(in crate::auth) fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Outside> {
        self.bounds().admit(address, now)?;
        self.key.mark_used(now, address);
        Ok(())
    }

    /// The same caller with these scopes only.
    pub(in crate::auth) fn narrowed(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// The tenant that the credential opens. INVARIANT I1: this is the only source of a tenant.
    /// Operators have none.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.record().tenant.as_ref()
    }

    /// The key's id.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.record().id
    }

    /// What the key is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.record().role
    }

    /// Whom the issuer of its token names; a key names nobody.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        let record = self.record();
        record.id.is_of_subject().then_some(record.name.as_str())
    }

    /// The packs it sees.
    #[must_use]
    pub fn packs(&self) -> Packs {
        self.record().packs.unwrap_or(self.default_packs)
    }

    /// Tenants it may name besides its own.
    #[must_use]
    pub fn act_as(&self) -> &[TenantLabel] {
        &self.record().act_as
    }

    /// What the key may not. What of it is about tools and memories holds in `policy` and `store`,
    /// whatever asks for a permit.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.record().bounds
    }

    /// Which of the key's secrets was presented, where it is a made key.
    pub(crate) fn proof(&self) -> Option<&Arc<Proof>> {
        self.proof.as_ref()
    }

    /// What its token was granted; a key has every scope.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Whether the scopes reach so far. It permits nothing: policy is asked after it.
    ///
    /// # Errors
    /// `ScopeMissing`.
    pub fn check_scope(&self, action: Action) -> Result<()> {
        match self.scopes.lacks(action) {
            None => Ok(()),
            Some(scope) => Err(Error::new(
                Kind::ScopeMissing(scope),
                format!("the token lacks the {} scope for `{action}`", scope.as_str()),
            )),
        }
    }

    /// Cancelled when the credential stops working (I9).
    #[must_use]
    pub fn gone(&self) -> &CancellationToken {
        &self.key.gone
    }

    /// This caller, as the session ledger wants to know it.
    #[must_use]
    pub fn caller(&self, client: ClientInfo, protocol: String, address: IpAddr) -> Caller {
        let (key, proof) = (Arc::clone(&self.key), self.proof.clone());
        Caller { key, proof, client, protocol, address }
    }

    fn record(&self) -> &KeyRecord {
        &self.key.record
    }
}

#[cfg(test)]
mod tests {
    /// What the compiler refuses is in the doc tests above; this holds that nothing in this
    /// file opens another way: no public constructor, no conversion, no default.
    #[test]
    fn i2_only_auth_makes_a_principal() {
        let code = include_str!("principal.rs").split("#[cfg(test)]").next().unwrap();
        let code: String = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let made = "the types of the constructor, of `narrowed` and `proved`, and the one value";
        assert_eq!(code.matches("Self {").count(), 4, "{made}");
        assert!(code.contains("pub(in crate::auth) fn narrowed(mut self"));
        assert!(code.contains("pub(in crate::auth) fn proved(mut self"));
        assert!(code.contains("pub(in crate::auth) fn new("));
        for door in ["Default", "Deserialize", "for Principal", "pub key", "-> Principal"] {
            assert!(!code.contains(door), "{door}");
        }
    }
}
