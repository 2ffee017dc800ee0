//! What stands in a record for an argument's value.
//!
//! A digest tells whether a known text was the argument, and nothing else: it is HMAC-SHA-256
//! under a random key of this deployment, cut to 128 bits. Without the key a short or guessable
//! text could be found by trying; with it, who investigates can try one (`memgate audit digest`).

use std::{fmt, path::Path};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::regular;
use crate::{
    db::secret_file,
    domain::{Error, Kind, Result, random::Entropy},
};

/// The name of the key's file in the audit directory: 64 hexadecimal digits and a newline.
pub const KEY_FILE: &str = "digest.key";
/// Bytes of a digest.
const LENGTH: usize = 16;

/// Makes digests.
#[derive(Clone)]
pub struct Digester {
    /// Keyed once; every use starts from a copy.
    mac: Hmac<Sha256>,
}

impl Digester {
    /// With the key that lies in `directory`, which is made when it is missing.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read or written, or is no such key.
    pub(in crate::audit) fn open(directory: &Path, entropy: &dyn Entropy) -> Result<Self> {
        let path = directory.join(KEY_FILE);
        if !path.exists() {
            let mut key = Zeroizing::new([0_u8; 32]);
            entropy.fill(key.as_mut());
            let mut text = Zeroizing::new(hex(key.as_ref()));
            text.push('\n');
            secret_file::write_text(&path, &text)?;
        }
        Self::read(directory)
    }

    /// With the key that lies in `directory`.
    ///
    /// # Errors
    /// `Unavailable` when there is none, or it is no such key.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(KEY_FILE);
        let bad = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let sentence =
                format!("the key of the audit digests, {}, cannot be used", path.display());
            Error::new(Kind::Unavailable, sentence).caused_by(cause)
        };
        let text = Zeroizing::new(regular::text(&path).map_err(|e| bad(e.into()))?);
        let key =
            Zeroizing::new(bytes(text.trim_end()).ok_or_else(|| bad("not 64 digits".into()))?);
        Ok(Self::with(&key))
    }

    pub(in crate::audit) fn with(key: &[u8; 32]) -> Self {
        let mut block = Zeroizing::new([0_u8; 64]);
        block[..32].copy_from_slice(key);
        Self { mac: Hmac::new(&(*block).into()) }
    }

    /// Of a text.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(text.as_bytes());
        let sum: [u8; 32] = mac.finalize().into_bytes().into();
        hex(&sum[..LENGTH])
    }

    /// Of every argument of a call, whose names are declared ones.
    #[must_use]
    pub fn arguments(&self, arguments: &Map<String, Value>) -> Digests {
        let digest = |value: &Value| match value {
            Value::String(text) => self.text(text),
            other => self.text(&other.to_string()),
        };
        Digests(arguments.iter().map(|(name, value)| (name.clone(), digest(value))).collect())
    }
}

/// SECURITY: the key is never printed.
impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester(…)")
    }
}

/// Names of arguments and digests of their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests(Box<[(String, String)]>);

impl Serialize for Digests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, digest) in &self.0 {
            map.serialize_entry(name, digest)?;
        }
        map.end()
    }
}

/// Two digits for each byte, in lower case.
pub(in crate::audit) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let pairs = text.as_bytes().chunks_exact(2);
    let all: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
    if text.len() == 64 { all?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn a_digest_is_the_same_for_the_same_text_and_tells_nothing_without_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let digester = Digester::open(directory.path(), &OsEntropy).unwrap();
        let again = Digester::open(directory.path(), &OsEntropy).unwrap();
        assert_eq!(digester.text("yes"), again.text("yes"));
        assert_ne!(digester.text("yes"), digester.text("no"));
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Digester::open(elsewhere.path(), &OsEntropy).unwrap();
        assert_ne!(digester.text("yes"), other.text("yes"));
        assert_eq!(digester.text("yes").len(), 32);
    }

    #[test]
    fn i5_arguments_are_named_and_their_values_are_not_told() {
        let digester = Digester::with(&[7; 32]);
        let Value::Object(given) = json!({"content": "hunter2", "tags": ["blue"]}) else { return };
        let text = serde_json::to_string(&digester.arguments(&given)).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("blue"), "{text}");
        let read: Map<String, Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(read["content"], digester.text("hunter2"));
        assert_eq!(read["tags"], digester.text(r#"["blue"]"#));
    }

    #[test]
    fn a_key_that_is_none_is_refused_in_words() {
        let directory = tempfile::tempdir().unwrap();
        for bad in ["", "zz", &"0".repeat(63), &"g".repeat(64)] {
            fs::write(directory.path().join(KEY_FILE), bad).unwrap();
            let error = Digester::open(directory.path(), &OsEntropy).unwrap_err();
            assert!(error.to_string().contains(KEY_FILE), "{error}");
        }
    }
}
