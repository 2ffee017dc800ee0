//! API keys: their public id, their text, their role, and the record kept of one.
//!
//! A key reads `mg_<key id>_<secret>_<check>`: a prefix that secret scanners find, a public id
//! for the look-up, 256 random bits, and a checksum that turns typing errors and guesses away
//! before anything is looked up.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    Error, Result,
    bounds::Bounds,
    pack::Packs,
    random::{self, Entropy},
    secret::Secret,
    tenant::{Tenant, TenantLabel, text},
};

/// The prefix of every key.
pub const PREFIX: &str = "mg_";
/// Characters in a key id.
const ID_LENGTH: usize = 12;
/// How the id of a token's holder begins.
const TOKEN_PREFIX: &str = "jwt-";
/// How the id of a certificate's holder begins.
const CERTIFICATE_PREFIX: &str = "cert-";
/// Characters after either, five bits of a hash each.
const TOKEN_LENGTH: usize = 20;
/// Characters of base64url for 32 bytes.
const SECRET_LENGTH: usize = 43;
/// Characters of the checksum: CRC-32 in hexadecimal.
const CHECK_LENGTH: usize = 8;

/// A key's public id: shown in lists and logs.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// A new, random id (60 bits).
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(random::token(entropy, ID_LENGTH).into())
    }

    /// Reads an id: twelve characters of lowercase base32, `env-` and a tenant label for a key
    /// that came from the environment, or `jwt-` or `cert-` and twenty characters for the holder of
    /// a token or a client certificate.
    ///
    /// # Errors
    /// Everything else.
    pub fn parse(text: &str) -> Result<Self> {
        let made = text.len() == ID_LENGTH
            && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        let named = text.strip_prefix("env-").is_some_and(|l| TenantLabel::parse(l).is_ok());
        let hashed = [TOKEN_PREFIX, CERTIFICATE_PREFIX].iter().find_map(|p| text.strip_prefix(p));
        let token = hashed.is_some_and(|rest| {
            rest.len() == TOKEN_LENGTH
                && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        });
        if made || named || token {
            Ok(Self(text.into()))
        } else {
            Err(Error::bad_input("not a key id"))
        }
    }

    /// The id of a caller that no key stands for: `env-<name>` for an environment key,
    /// `env-local` for the local control socket, `env-open` when authentication is off.
    #[must_use]
    pub fn named(label: &TenantLabel) -> Self {
        Self(format!("env-{label}").into())
    }

    /// The id of a token's holder: `jwt-` and a hash of who vouches for whom, and for which
    /// tenant. A new token of the same holder has the same id; nobody else's has.
    #[must_use]
    pub fn of_token(issuer: &str, subject: &str, tenant: Option<&TenantLabel>) -> Self {
        let tenant = tenant.map_or("", TenantLabel::as_str);
        Self::hashed(TOKEN_PREFIX, &[issuer, subject, tenant])
    }

    /// The id of a client certificate's holder: `cert-` and a hash of the name that counts and its
    /// tenant. A renewed certificate has the same id.
    #[must_use]
    pub fn of_certificate(name: &str, tenant: Option<&TenantLabel>) -> Self {
        Self::hashed(CERTIFICATE_PREFIX, &[name, tenant.map_or("", TenantLabel::as_str)])
    }

    fn hashed(prefix: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists read the same.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        let digits = hash.finalize().into_iter().take(TOKEN_LENGTH);
        let digits: String = digits.map(|b| char::from(random::character(b))).collect();
        Self(format!("{prefix}{digits}").into())
    }

    /// Whether it stands for somebody whom somebody else vouches for, and who has no key.
    #[must_use]
    pub fn is_of_subject(&self) -> bool {
        [TOKEN_PREFIX, CERTIFICATE_PREFIX].iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
text!(KeyId);

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Uses one tenant's memory through `/mcp`.
    Agent,
    /// Sees and stops sessions, tenants and keys through `/admin`; never reads a memory.
    Operator,
}

impl Role {
    /// The role as it is written in settings and policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A whole key, taken apart and checked for shape: not yet known to be anybody's.
#[derive(Debug)]
pub struct PresentedKey {
    /// The public id inside it.
    pub id: KeyId,
    /// The 43 characters that prove it.
    pub secret: Secret,
}

impl PresentedKey {
    /// Makes a new key.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        entropy.fill(bytes.as_mut());
        Self {
            id: KeyId::random(entropy),
            secret: Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())),
        }
    }

    /// A new secret for the key with this id.
    #[must_use]
    pub fn renewed(id: KeyId, entropy: &dyn Entropy) -> Self {
        Self { id, ..Self::random(entropy) }
    }

    /// Takes a key apart. Costs one CRC over 60 bytes and touches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(PREFIX)?;
        if body.len() != ID_LENGTH + SECRET_LENGTH + CHECK_LENGTH + 2 || !body.is_ascii() {
            return None;
        }
        let (id, rest) = body.split_at(ID_LENGTH);
        let (secret, check) = rest.strip_prefix('_')?.split_at(SECRET_LENGTH);
        let check = check.strip_prefix('_')?;
        let alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !secret.bytes().all(alphabet) || check != checksum(id, secret) {
            return None;
        }
        Some(Self { id: KeyId::parse(id).ok()?, secret: Secret::new(secret.to_owned()) })
    }

    /// The key as its owner sees it, once.
    #[must_use]
    pub fn reveal(&self) -> Secret {
        let secret = self.secret.expose();
        let check = checksum(self.id.as_str(), secret);
        Secret::new(format!("{PREFIX}{}_{secret}_{check}", self.id))
    }
}

fn checksum(id: &str, secret: &str) -> String {
    let mut crc = crc32fast::Hasher::new();
    crc.update(id.as_bytes());
    crc.update(b"_");
    crc.update(secret.as_bytes());
    format!("{:08x}", crc.finalize())
}

/// What the registry keeps of a key: everything but a way to make it again.
#[derive(Debug, Clone, Serialize)]
pub struct KeyRecord {
    /// The public id.
    pub id: KeyId,
    /// What it is for.
    pub role: Role,
    /// The tenant it opens; operators have none.
    pub tenant: Option<Tenant>,
    /// What its owner calls it.
    pub name: String,
    /// The tool packs it sees; `None` means the deployment's default.
    pub packs: Option<Packs>,
    /// Tenants that a `user_id` argument may name besides its own.
    pub act_as: Vec<TenantLabel>,
    /// What it may not.
    pub bounds: Bounds,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn what_was_made_parses() {
        let key = PresentedKey::random(&OsEntropy);
        let again = PresentedKey::parse(key.reveal().expose()).unwrap();
        assert_eq!((again.id, again.secret), (key.id, key.secret));
    }

    #[test]
    fn one_changed_character_is_turned_away() {
        let text = PresentedKey::random(&OsEntropy).reveal().expose().to_owned();
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] = if bytes[i] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(PresentedKey::parse(&changed).is_none(), "position {i}");
        }
        assert!(PresentedKey::parse(&format!("{text}x")).is_none());
    }

    #[test]
    fn i8_the_id_of_a_tokens_holder_is_of_issuer_subject_and_tenant() {
        let (a, b) = (TenantLabel::parse("a").unwrap(), TenantLabel::parse("b").unwrap());
        let id = |issuer: &str, subject: &str, tenant| KeyId::of_token(issuer, subject, tenant);
        let one = id("https://i", "user", Some(&a));
        assert_eq!(one, id("https://i", "user", Some(&a)));
        assert_eq!(KeyId::parse(one.as_str()).unwrap(), one);
        for other in [
            id("https://i", "user", Some(&b)),
            id("https://i", "user", None),
            id("https://i", "user2", Some(&a)),
            id("https://iu", "ser", Some(&a)),
        ] {
            assert_ne!(other, one);
        }
        let held = KeyId::of_certificate("spiffe://e/a", Some(&a));
        assert_eq!(KeyId::parse(held.as_str()).unwrap(), held);
        assert_ne!(held, KeyId::of_certificate("spiffe://e/a", Some(&b)));
        assert_ne!(held, KeyId::of_certificate("spiffe://e/aa", None));
        for bad in ["cert-", "jwt-", "jwt-short", &format!("{one}0"), "jwt-AAAAAAAAAAAAAAAAAAAA"] {
            assert!(KeyId::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,90}") {
            let _ = PresentedKey::parse(&text);
            let _ = PresentedKey::parse(&format!("mg_{text}"));
        }
    }
}
