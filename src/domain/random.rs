//! Randomness as an argument.

use std::fmt;

/// Where random bytes come from.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills `bytes` with random bytes, unpredictable in production.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::expect_used, reason = "without randomness nothing here is safe to go on with")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Lowercase base32 without look-alikes (Crockford's digits), one character for five bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The character of that alphabet which a random byte stands for: its lowest five bits.
#[must_use]
pub fn character(byte: u8) -> u8 {
    ALPHABET[usize::from(byte & 31)]
}

/// `length` random characters of [0-9a-hjkmnp-tv-z], five bits each.
#[must_use]
pub fn token(entropy: &dyn Entropy, length: usize) -> String {
    let mut bytes = vec![0_u8; length];
    entropy.fill(&mut bytes);
    bytes.iter().map(|b| char::from(character(*b))).collect()
}
