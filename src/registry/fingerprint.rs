//! What stands in memory for a secret: its HMAC-SHA-256 under a random key of this process.
//!
//! Environment keys, verified keys and protocol session ids are compared and looked up by
//! fingerprint only. The key is made anew on every start and never written down, so a
//! fingerprint that leaked would be worth nothing, and a look-up by it may take whatever time
//! it takes: an attacker can't choose a text with a wanted fingerprint (I5, I8).

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::random::Entropy;

/// The HMAC of one secret.
#[derive(Clone, Copy, Eq)]
pub struct Fingerprint([u8; 32]);

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The bytes are random already: eight of them are hash enough.
impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(head) = self.0.first_chunk() {
            state.write_u64(u64::from_ne_bytes(*head));
        }
    }
}

/// SECURITY: not even the fingerprint is printed. Test: `i5_no_debug_output_shows_a_secret`.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// Makes fingerprints; two makers never agree.
#[derive(Clone)]
pub struct Fingerprints {
    /// Keyed once; every use starts from a copy, which saves two of the four hash blocks.
    mac: Hmac<Sha256>,
}

impl Fingerprints {
    /// A maker with a fresh random key.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0_u8; 64]);
        entropy.fill(key.as_mut());
        Self { mac: Hmac::new(&(*key).into()) }
    }

    /// The fingerprint of `secret`.
    #[must_use]
    pub fn of(&self, secret: &str) -> Fingerprint {
        let mut mac = self.mac.clone();
        mac.update(secret.as_bytes());
        Fingerprint(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn one_maker_agrees_with_itself_and_with_no_other() {
        let (a, b) = (Fingerprints::random(&OsEntropy), Fingerprints::random(&OsEntropy));
        assert_eq!(a.of("secret"), a.of("secret"));
        assert_ne!(a.of("secret"), a.of("secreu"));
        assert_ne!(a.of("secret"), b.of("secret"));
    }
}
