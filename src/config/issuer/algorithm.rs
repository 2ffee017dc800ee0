//! What a token may be signed with: three algorithms, all with a public key.
//!
//! SECURITY: `none` and the symmetric ones cannot even be named, so no setting can let them in.

use crate::config::form::{Form, Raw, wrong};

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA (PKCS #1 v1.5), from 2048 bits.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// As `alg` writes it; exact, no other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// As `alg` writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// Its name as a setting.
#[derive(Debug)]
pub struct AlgorithmName;

impl Form for AlgorithmName {
    type Value = Algorithm;

    const NAME: &'static str = "list of ES256, EdDSA, RS256";

    fn read(raw: &Raw) -> Result<Algorithm, String> {
        Algorithm::parse(raw.text()?).ok_or_else(|| wrong(raw, "ES256, EdDSA or RS256"))
    }

    fn show(value: &Algorithm) -> String {
        value.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_nothing_else_can_be_named() {
        for name in ["none", "None", "HS256", "HS512", "es256", "RS512", "PS256", "ES384", ""] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
    }
}
