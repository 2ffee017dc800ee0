//! API keys: from the environment, and made by memgate.
//!
//! Every step turns more callers away than the next one costs: length, fingerprint (one HMAC),
//! shape and checksum, remembered key, tag (one HMAC), and only then argon2 on its bounded pool.
//! What is remembered is only that a text belongs to a key; whether the key works is asked of
//! the key itself, every time (I9).

use std::sync::Arc;

use async_trait::async_trait;

use super::{Attempt, Presented, Reason, Rejection, Scheme};
use crate::{
    auth::{
        Credential, Principal,
        cache::{Known, Verified},
        verifier::Verifier,
    },
    domain::{
        Result,
        clock::Clock,
        key::{KeyId, PresentedKey},
        pack::Packs,
    },
    registry::keyring::{Keyring, MAX_KEY_BYTES, Proof},
    telemetry::stats::AuthOutcome,
};

/// Accepts the keys of the keyring.
#[derive(Debug)]
pub(in crate::auth) struct ApiKeys {
    keys: Arc<Keyring>,
    remembered: Arc<Verified>,
    verifier: Arc<Verifier>,
    default_packs: Packs,
    clock: Arc<dyn Clock>,
}

impl ApiKeys {
    pub(in crate::auth) fn new(
        keys: Arc<Keyring>,
        remembered: Arc<Verified>,
        verifier: Arc<Verifier>,
        default_packs: Packs,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let forgetful = Arc::clone(&remembered);
        keys.when_gone(move |id| forgetful.forget(id));
        Self { keys, remembered, verifier, default_packs, clock }
    }

    async fn judge(&self, text: &str) -> Result<Attempt> {
        if text.len() > MAX_KEY_BYTES {
            return Ok(rejected(Reason::Malformed, None));
        }
        let fingerprint = self.keys.fingerprint(text);
        if let Some(key) = self.keys.environment(&fingerprint) {
            let principal = Principal::new(Arc::clone(key), self.default_packs);
            return Ok(Attempt::Accepted(principal, AuthOutcome::Verified));
        }
        let Some(presented) = PresentedKey::parse(text) else {
            return Ok(rejected(Reason::Malformed, None));
        };
        let PresentedKey { id, secret } = presented;
        if let Some(known) = self.remembered.recall(&id, &fingerprint) {
            return Ok(self.accept(known, AuthOutcome::Cached));
        }

        // INVARIANT I7: an unknown id, and a known one with nearly any wrong secret, end here,
        // after the same work. Test: `i7_unknown_keys_never_reach_argon2`.
        let key = self.keys.made(&id);
        let proofs = key.as_ref().map_or(&[][..], |key| key.proofs());
        let likely = Proof::likely(proofs, &secret, self.keys.tagger());
        let (Some(key), false) = (&key, likely.is_empty()) else {
            return Ok(rejected(Reason::Unknown, Some(id)));
        };
        let is_over = |proof: &Arc<Proof>| proof.is_over(self.clock.now());
        if !key.works(self.clock.as_ref()) || likely.iter().all(is_over) {
            return Ok(rejected(Reason::Gone, Some(id)));
        }

        let flight = self.verifier.join(fingerprint);
        if let Some(known) = self.remembered.recall(&id, &fingerprint) {
            // Another request with this key came to its end between the two looks.
            return Ok(self.accept(known, AuthOutcome::Cached));
        }
        let Some(proof) = flight.verify(&likely, secret).await? else {
            return Ok(rejected(Reason::Unknown, Some(id)));
        };
        // SECURITY: a key may be revoked, and a secret ended, at any moment. Revoking cancels the
        // key's token before it has the remembered entry dropped, and `accept` looks at the token
        // after the entry was put in; so either the entry is dropped there or the key is refused
        // and dropped here. `tests/model` goes through every order of these steps.
        // Test: `i9_a_key_revoked_while_it_is_verified_is_refused`.
        let known = (Arc::clone(key), proof);
        self.remembered.remember(id, fingerprint, known.clone());
        Ok(self.accept(known, AuthOutcome::Verified))
    }

    /// INVARIANT I9: the last look, after everything that took time.
    fn accept(&self, (key, proof): Known, how: AuthOutcome) -> Attempt {
        if !key.works(self.clock.as_ref()) || proof.is_over(self.clock.now()) {
            self.remembered.forget(&key.record.id);
            return rejected(Reason::Gone, Some(key.record.id.clone()));
        }
        Attempt::Accepted(Principal::new(key, self.default_packs).proved(proof), how)
    }
}

#[async_trait]
impl Scheme for ApiKeys {
    async fn attempt(&self, presented: Presented<'_>) -> Result<Attempt> {
        match presented.credential {
            None => Ok(Attempt::NotPresented),
            Some(Credential::Unusable) => Ok(rejected(Reason::Unusable, None)),
            Some(Credential::Bearer(text) | Credential::ApiKey(text)) => self.judge(text).await,
        }
    }
}

fn rejected(reason: Reason, key: Option<KeyId>) -> Attempt {
    Attempt::Rejected(Rejection { reason, key })
}
