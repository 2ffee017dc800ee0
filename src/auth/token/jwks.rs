//! A set of public keys (RFC 7517): what of it may be used, and nothing else.
//!
//! SECURITY: a symmetric key in a set would make everybody who reads the set an issuer, and a
//! private one is everybody's already; both are passed over, as is whatever is weak, is for
//! another use, or shares its id with another.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{flaw::Flaw, rules::Rules, text::Token};
use crate::{config::issuer::Algorithm, domain::strict_json};

/// More keys than any issuer has.
const MAX_KEYS: usize = 100;
/// RSA keys from 2048 bits, and up to what costs no more than some others.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// Members that only private and symmetric keys have.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of one issuer.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Arc<PublicKey>>);

/// A key that signatures are verified with.
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    digest: [u8; 32],
    key: DecodingKey,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl KeySet {
    /// The usable keys of a JWK set, for algorithms that are allowed.
    ///
    /// # Errors
    /// A sentence for the log: it is no set, or has no usable key.
    pub fn parse(bytes: &[u8], allowed: &[Algorithm]) -> Result<Self, &'static str> {
        let set = strict_json::object(bytes).ok_or("is no JSON object")?;
        let Some(Value::Array(list)) = set.get("keys") else { return Err("has no list `keys`") };
        if list.len() > MAX_KEYS {
            return Err("has more than 100 keys");
        }
        let keys: Vec<_> = list
            .iter()
            .filter_map(|key| PublicKey::parse(key.as_object()?))
            .filter(|key| allowed.contains(&key.algorithm))
            .collect();
        let alone = |key: &&PublicKey| keys.iter().filter(|k| k.kid == key.kid).count() == 1;
        let ids: Vec<bool> = keys.iter().map(|key| key.kid.is_none() || alone(&key)).collect();
        let keys = keys.into_iter().zip(ids).filter(|(_, alone)| *alone).map(|(k, _)| Arc::new(k));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() { Err("has no key that may be used") } else { Ok(Self(keys)) }
    }

    /// The key for a token. A token that names none can mean only the one key of a set of one.
    #[must_use]
    pub fn find(&self, kid: Option<&str>) -> Option<Arc<PublicKey>> {
        let found = match (kid, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(kid), all) => all.iter().find(|key| key.kid.as_deref() == Some(kid)),
        };
        found.cloned()
    }

    /// Whether a key with this digest is among them.
    #[must_use]
    pub fn has(&self, digest: &[u8; 32]) -> bool {
        self.0.iter().any(|key| key.digest == *digest)
    }

    /// Whether both are the same keys.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|key| other.has(&key.digest))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PublicKey {
    /// Stands for key, id and algorithm together.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether this key signed the token.
    ///
    /// # Errors
    /// `Algorithm` when the token names another one, `Signature` when it did not.
    pub fn verify(&self, token: &Token<'_>, rules: &Rules) -> Result<(), Flaw> {
        // SECURITY: a key is used with its own algorithm and no other, whatever a token says.
        if token.header.algorithm != self.algorithm {
            return Err(Flaw::Algorithm);
        }
        let mut told = Validation::new(library(self.algorithm));
        told.set_issuer(&[&rules.issuer.issuer]);
        told.set_audience(&rules.audiences);
        told.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Dates were checked, by the clock that is an argument here.
        told.validate_exp = false;
        told.validate_nbf = false;
        jsonwebtoken::decode::<IgnoredAny>(token.text(), &self.key, &told)
            .map(|_| ())
            .map_err(|_| Flaw::Signature)
    }

    fn parse(members: &Map<String, Value>) -> Option<Self> {
        if PRIVATE.iter().any(|name| members.contains_key(*name)) {
            return None;
        }
        let text = |name: &str| members.get(name).map(|value| value.as_str());
        let is_for = |name: &str, wanted: &str| text(name).is_none_or(|t| t == Some(wanted));
        let may_verify = match members.get("key_ops") {
            None => true,
            Some(Value::Array(list)) => list.iter().any(|op| op == "verify"),
            Some(_) => false,
        };
        if !is_for("use", "sig") || !may_verify {
            return None;
        }
        let part = |name: &str| text(name).flatten();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(part(name)?).ok();
        let (algorithm, key, material) = match (part("kty")?, part("crv")) {
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                let key = DecodingKey::from_ec_components(part("x")?, part("y")?).ok()?;
                (Algorithm::Es256, key, [x, y].concat())
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x")?;
                if x.len() != 32 {
                    return None;
                }
                (Algorithm::EdDsa, DecodingKey::from_ed_components(part("x")?).ok()?, x)
            }
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                if !is_strong(&n, &e) {
                    return None;
                }
                let key = DecodingKey::from_rsa_raw_components(&n, &e);
                (Algorithm::Rs256, key, [n, e].concat())
            }
            _ => return None,
        };
        let named = match text("alg") {
            None => true,
            // RFC 9864's name for the same.
            Some(Some("Ed25519")) => algorithm == Algorithm::EdDsa,
            Some(name) => name == Some(algorithm.as_str()),
        };
        let kid = match text("kid") {
            None => None,
            Some(Some(kid)) => Some(kid.to_owned()),
            Some(None) => return None,
        };
        if !named {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(algorithm.as_str());
        hash.update(Sha256::digest(&material));
        hash.update(kid.as_deref().unwrap_or_default());
        Some(Self { kid, algorithm, digest: hash.finalize().into(), key })
    }
}

/// At least 2048 bits and an odd exponent of at least 3 that fits four bytes.
fn is_strong(n: &[u8], e: &[u8]) -> bool {
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|b| b & 1 == 1);
    let top = n.first().copied().unwrap_or(0);
    let long = RSA_BYTES.contains(&n.len()) && (n.len() > *RSA_BYTES.start() || top >= 0x80);
    let exponent = e.iter().fold(0_u64, |sum, b| sum << 8 | u64::from(*b));
    top != 0 && long && odd(n) && odd(e) && e.len() <= 4 && exponent >= 3
}

fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::token::testing::{Signer, set};

    fn parse(keys: &[Value]) -> Result<KeySet, &'static str> {
        KeySet::parse(set(keys).to_string().as_bytes(), &Algorithm::ALL)
    }

    fn with(key: &Value, name: &str, value: Value) -> Value {
        let mut key = key.clone();
        key[name] = value;
        key
    }

    #[test]
    fn i3_only_public_keys_for_signatures_that_are_strong_enough_are_used() {
        for signer in [Signer::es256("e"), Signer::eddsa("d"), Signer::rs256("r")] {
            let jwk = signer.jwk();
            assert_eq!(parse(std::slice::from_ref(&jwk)).unwrap().len(), 1, "{jwk}");
            assert!(parse(&[with(&jwk, "use", json!("sig"))]).is_ok());
            assert!(parse(&[with(&jwk, "key_ops", json!(["verify"]))]).is_ok());
            for bad in [
                with(&jwk, "d", json!("AA")),
                with(&jwk, "k", json!("AA")),
                with(&jwk, "use", json!("enc")),
                with(&jwk, "use", json!(1)),
                with(&jwk, "key_ops", json!(["encrypt"])),
                with(&jwk, "key_ops", json!("verify")),
                with(&jwk, "alg", json!("HS256")),
                with(&jwk, "alg", json!("RS512")),
                with(&jwk, "alg", json!(null)),
                with(&jwk, "kty", json!("oct")),
                with(&jwk, "kid", json!(5)),
            ] {
                assert!(parse(std::slice::from_ref(&bad)).is_err(), "{bad}");
            }
        }
        let oct = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"});
        assert!(parse(&[oct]).is_err());
        let rsa = Signer::rs256("r").jwk();
        let n = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
        let half = URL_SAFE_NO_PAD.encode(&n[..128]);
        assert!(parse(&[with(&rsa, "n", json!(half))]).is_err(), "1024 bits");
        let short = [&[0][..], &n[1..]].concat();
        assert!(parse(&[with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode(short)))]).is_err());
        for e in [vec![1], vec![2], vec![0, 0, 0, 0, 3], vec![]] {
            assert!(parse(&[with(&rsa, "e", json!(URL_SAFE_NO_PAD.encode(&e)))]).is_err(), "{e:?}");
        }
        let ec = Signer::es256("e").jwk();
        assert!(parse(&[with(&ec, "x", json!("AAAA"))]).is_err());
        assert!(parse(&[with(&ec, "crv", json!("P-384"))]).is_err());
    }

    #[test]
    fn an_id_is_of_one_key_and_only_a_single_key_needs_none() {
        let (a, b) = (Signer::es256("a").jwk(), Signer::es256("b").jwk());
        let one = parse(std::slice::from_ref(&a)).unwrap();
        let two = parse(&[a.clone(), b.clone()]).unwrap();
        assert!(one.find(None).is_some());
        assert!(two.find(None).is_none());
        assert!(two.find(Some("b")).is_some());
        for none in ["c", "", "A", "../a"] {
            assert!(two.find(Some(none)).is_none(), "{none}");
        }
        let same = with(&b, "kid", json!("a"));
        assert!(parse(&[a.clone(), same]).is_err(), "two keys with one id are none");
        assert!(one.is_like(&parse(std::slice::from_ref(&a)).unwrap()) && !one.is_like(&two));
        assert!(!two.is_like(&parse(&[a, Signer::es256("b").jwk()]).unwrap()));
    }

    #[test]
    fn what_is_no_set_is_an_error() {
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[],"keys":[]}"#]
        {
            assert!(KeySet::parse(bad.as_bytes(), &Algorithm::ALL).is_err(), "{bad}");
        }
        let many: Vec<_> = (0..101).map(|_| json!({})).collect();
        assert_eq!(parse(&many).unwrap_err(), "has more than 100 keys");
        let rsa_only = KeySet::parse(
            set(&[Signer::es256("e").jwk()]).to_string().as_bytes(),
            &[Algorithm::Rs256],
        );
        assert!(rsa_only.is_err());
    }
}
