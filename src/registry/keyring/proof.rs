//! What is kept of a made key's secret: an argon2id hash, a 16-bit keyed tag before it, and
//! until when the secret works.
//!
//! The hash never leaves this file but for the database: everybody else asks
//! [`Proof::likely`] (a microsecond) and then [`Proof::matches`] (tens of milliseconds,
//! 19 MiB), which `auth::verifier` runs on its bounded pool and nobody runs elsewhere. A key has
//! two proofs while it goes over to a new secret.
//!
//! The tag turns away all but one in 65,536 wrong secrets before argon2. It tells a thief of
//! the database 16 of 256 random bits, which is nothing (I7).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize as _;

use crate::domain::{Error, Result, random::Entropy, secret::Secret};

/// Memory of one argon2 run, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Memory that is asked for, in KiB, of which one run touches [`MEMORY_KIB`]. The C library gives
/// so large a piece back to the system when it is freed, and keeps smaller ones: 19 MiB would
/// stay with the process for good.
const ASKED_KIB: usize = 40 * 1024;
/// The most secrets of one key at once: the present one, and the one before it for a while.
pub(super) const MAX_SECRETS: usize = 2;
/// No end.
const NEVER: i64 = i64::MAX;

/// Makes tags. Its key lives in `control.db`, because tags outlive the process.
#[derive(Clone)]
pub struct Tagger(Hmac<Sha256>);

impl Tagger {
    /// A maker with this key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let mut block = [0_u8; 64];
        let (front, _) = block.split_at_mut(key.len());
        front.copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    fn tag(&self, secret: &Secret) -> [u8; 2] {
        let mut mac = self.0.clone();
        mac.update(secret.expose().as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let [first, second, ..] = full;
        [first, second]
    }
}

impl fmt::Debug for Tagger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tagger(…)")
    }
}

/// How a made key's secret is recognised.
pub struct Proof {
    tag: [u8; 2],
    /// In PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    hash: Box<str>,
    /// Milliseconds since 1970, or [`NEVER`]. Shared by everybody who holds the proof, so that
    /// an end that is set holds for sessions and remembered keys too.
    until: AtomicI64,
}

impl Proof {
    /// Hashes a new secret. Takes as long as [`Proof::matches`].
    pub(in crate::registry) fn make(
        secret: &Secret,
        tagger: &Tagger,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let mut salt = [0_u8; 16];
        entropy.fill(&mut salt);
        let hash = PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&costs()?).map_err(Error::internal)?,
            salt: Some(Salt::new(&salt).map_err(Error::internal)?),
            hash: Some(Output::new(&argon2id(secret, &salt)?).map_err(Error::internal)?),
        };
        let until = AtomicI64::new(NEVER);
        Ok(Self { tag: tagger.tag(secret), hash: hash.to_string().into(), until })
    }

    /// Takes back what was stored. A hash with other costs than ours was not written by us and
    /// could cost any amount of memory to check.
    pub(in crate::registry) fn stored(tag: u16, hash: &str) -> Result<Self> {
        let parsed = PasswordHash::new(hash).map_err(Error::unavailable)?;
        let params = Params::try_from(&parsed).map_err(Error::unavailable)?;
        let ours = parsed.algorithm == argon2::ARGON2ID_IDENT
            && parsed.hash.is_some()
            && params.m_cost() == MEMORY_KIB
            && params.t_cost() == PASSES
            && params.p_cost() == LANES;
        if ours {
            let until = AtomicI64::new(NEVER);
            Ok(Self { tag: tag.to_be_bytes(), hash: hash.into(), until })
        } else {
            Err(Error::unavailable("a key's hash has unknown parameters"))
        }
    }

    /// Tag and hash, for the database.
    pub(crate) fn to_store(&self) -> (u16, &str) {
        (u16::from_be_bytes(self.tag), &self.hash)
    }

    /// The proofs for which argon2 is worth its price. Fewer of them, and none for an unknown
    /// key, cost the same, so that time does not tell whether a key id exists (I4).
    #[must_use]
    pub fn likely(proofs: &[Arc<Self>], secret: &Secret, tagger: &Tagger) -> Vec<Arc<Self>> {
        let presented = tagger.tag(secret);
        let mut likely = Vec::new();
        for place in 0..MAX_SECRETS {
            let proof = proofs.get(place);
            let stored = proof.map_or([0, 0], |proof| proof.tag);
            let same: bool = stored.ct_eq(&presented).into();
            likely.extend(proof.filter(|_| same).cloned());
        }
        likely
    }

    /// The secret works no longer than until `at`; an earlier end stays.
    pub(in crate::registry) fn end_at(&self, at: Timestamp) {
        self.until.fetch_min(at.as_millisecond(), Ordering::SeqCst);
    }

    /// Until when the secret works; `None` as long as its key.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        let until = self.until.load(Ordering::SeqCst);
        if until == NEVER { None } else { Timestamp::from_millisecond(until).ok() }
    }

    /// Whether the secret is over. INVARIANT I9: asked on every use, remembered or not, and of
    /// every session that was opened with it. Test: `i9_an_old_secret_ends_with_its_overlap`.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.load(Ordering::SeqCst) <= now.as_millisecond()
    }

    /// Whether this is the secret. SECURITY: argon2; to be run on the verifier's pool only.
    #[must_use]
    pub fn matches(&self, secret: &Secret) -> bool {
        let Ok(PasswordHash { salt: Some(salt), hash: Some(hash), .. }) =
            PasswordHash::new(&self.hash)
        else {
            return false;
        };
        let computed = argon2id(secret, salt.as_ref());
        computed.is_ok_and(|computed| computed.ct_eq(hash.as_bytes()).into())
    }
}

fn costs() -> Result<Params> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)
}

fn argon2id(secret: &Secret, salt: &[u8]) -> Result<[u8; Params::DEFAULT_OUTPUT_LEN]> {
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let costs = costs()?;
    let mut memory = Vec::with_capacity(ASKED_KIB);
    memory.resize(costs.block_count(), Block::new());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, costs)
        .hash_password_into_with_memory(secret.expose().as_bytes(), salt, &mut output, &mut memory)
        .map_err(Error::internal)?;
    // What is left in it would help nobody who has not got 256 random bits already; it is wiped
    // all the same.
    memory.zeroize();
    Ok(output)
}

/// SECURITY: neither tag nor hash. Test: `i5_no_debug_output_shows_a_secret`.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{key::PresentedKey, random::OsEntropy};

    fn likely(proof: &Arc<Proof>, secret: &Secret, tagger: &Tagger) -> bool {
        !Proof::likely(std::slice::from_ref(proof), secret, tagger).is_empty()
    }

    fn made() -> (Tagger, Secret, Arc<Proof>) {
        let tagger = Tagger::new(&[7; 32]);
        let secret = PresentedKey::random(&OsEntropy).secret;
        let proof = Proof::make(&secret, &tagger, &OsEntropy).unwrap();
        (tagger, secret, Arc::new(proof))
    }

    #[test]
    fn the_secret_matches_and_another_does_not() {
        let (tagger, secret, proof) = made();
        assert!(likely(&proof, &secret, &tagger) && proof.matches(&secret));
        assert!(!proof.matches(&PresentedKey::random(&OsEntropy).secret));
    }

    #[test]
    fn what_was_stored_is_read_back_and_foreign_costs_are_refused() {
        let (tagger, secret, proof) = made();
        let (tag, hash) = proof.to_store();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!hash.contains(secret.expose()));
        let again = Arc::new(Proof::stored(tag, hash).unwrap());
        assert!(likely(&again, &secret, &tagger) && again.matches(&secret));

        for bad in [hash.replace("m=19456", "m=4000000"), hash.replace("argon2id", "argon2i")] {
            assert!(Proof::stored(tag, &bad).is_err(), "{bad}");
        }
        assert!(Proof::stored(tag, "").is_err());
    }

    #[test]
    fn i7_a_wrong_secret_hardly_ever_reaches_argon2() {
        let (tagger, _, proof) = made();
        let reached = (0..2_000)
            .filter(|_| {
                let guess = PresentedKey::random(&OsEntropy).secret;
                likely(&proof, &guess, &tagger)
            })
            .count();
        assert!(reached <= 3, "{reached} of 2,000 guesses passed a 16-bit tag");
        let guess = PresentedKey::random(&OsEntropy).secret;
        assert!(Proof::likely(&[], &guess, &tagger).is_empty());
    }

    #[test]
    fn of_two_secrets_each_finds_its_own_proof() {
        let (tagger, secret, proof) = made();
        let other = PresentedKey::random(&OsEntropy).secret;
        let both = [proof, Arc::new(Proof::make(&other, &tagger, &OsEntropy).unwrap())];
        for (secret, own) in [(&secret, &both[0]), (&other, &both[1])] {
            let likely = Proof::likely(&both, secret, &tagger);
            assert!(likely.iter().any(|proof| Arc::ptr_eq(proof, own) && proof.matches(secret)));
        }
    }

    #[test]
    fn an_end_only_ever_comes_nearer() {
        let (_, _, proof) = made();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        assert!(!proof.is_over(at(1_000)) && proof.ends_at().is_none());
        proof.end_at(at(100));
        proof.end_at(at(200));
        assert_eq!(proof.ends_at(), Some(at(100)));
        assert!(!proof.is_over(at(99)) && proof.is_over(at(100)));
    }
}
