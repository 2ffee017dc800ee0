//! Signatures: from time to time the head of the chain is signed with an Ed25519 key.
//!
//! A chain alone holds against whoever cannot write the whole of it anew. A signed head holds
//! against whoever cannot reach the key. The key lies beside the log unless `audit.signing_key`
//! names a better place; its public half is `signing.pub`, and who verifies should keep a copy
//! of it elsewhere.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use zeroize::Zeroizing;

use super::{chain::Hash, regular};
use crate::{
    db::secret_file,
    domain::{Error, Kind, Result},
};

/// The name of the private key's file in the audit directory: PKCS #8 in PEM.
pub const PRIVATE_FILE: &str = "signing.key";
/// The name of the public key's file: 32 bytes in base64 and a newline.
pub const PUBLIC_FILE: &str = "signing.pub";

/// Signs heads.
pub struct Signer {
    pair: KeyPair,
    public: PublicKey,
    /// The public half of the key that signed before, when it was another.
    pub(in crate::audit) replaces: Option<String>,
}

impl Signer {
    /// With the key at `path`; without one, with that in `directory`, which is made when it is
    /// missing. The public half is written to `directory`.
    ///
    /// # Errors
    /// `Unavailable` when a file cannot be read or written, or holds no Ed25519 key.
    pub(in crate::audit) fn open(directory: &Path, path: Option<&Path>) -> Result<Self> {
        let own = directory.join(PRIVATE_FILE);
        if path.is_none() && !own.exists() {
            let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(Error::internal)?;
            secret_file::write_text(&own, &Zeroizing::new(pair.serialize_pem()))?;
        }
        let mut signer = Self::read(path.unwrap_or(&own), path.is_none())?;
        let (text, public) = (format!("{}\n", signer.public), directory.join(PUBLIC_FILE));
        let before = regular::text(&public).ok();
        if before.as_deref() != Some(&text) {
            signer.replaces = before.map(|before| before.trim_end().to_owned());
            let failed = |e| {
                let sentence = format!("{} cannot be written", public.display());
                Error::new(Kind::Unavailable, sentence).caused_by(e)
            };
            // Nothing secret, but nothing in the data directory is for others.
            let mut options = OpenOptions::new();
            let file = regular::open(&public, options.write(true).create(true).truncate(true));
            file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        }
        Ok(signer)
    }

    fn read(path: &Path, is_own: bool) -> Result<Self> {
        let bad = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let sentence = format!(
                "the audit log's signing key {} cannot be used; it must be an Ed25519 key in PEM, \
                 as `openssl genpkey -algorithm ed25519` makes one",
                path.display()
            );
            Error::new(Kind::Unavailable, sentence).caused_by(cause)
        };
        // One that lies elsewhere may be a link, as mounted secrets are.
        let text = if is_own { regular::text(path) } else { fs::read_to_string(path) };
        let text = Zeroizing::new(text.map_err(|e| bad(e.into()))?);
        let pair =
            KeyPair::from_pem_and_sign_algo(&text, &PKCS_ED25519).map_err(|e| bad(e.into()))?;
        let public =
            PublicKey(pair.der_bytes().try_into().map_err(|_| bad("another kind".into()))?);
        Ok(Self { pair, public, replaces: None })
    }

    /// Who verifies needs this.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs that record `seq` has this hash, as of `time`.
    ///
    /// # Errors
    /// `Internal` when the library refuses.
    pub(in crate::audit) fn sign(
        &self,
        purpose: Purpose,
        seq: u64,
        hash: &Hash,
        time: Timestamp,
    ) -> Result<String> {
        let message = message(purpose, seq, hash, time);
        let signature = self.pair.sign(&message).map_err(Error::internal)?;
        Ok(STANDARD.encode(signature))
    }
}

/// SECURITY: the key is never printed.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public)
    }
}

/// The public half.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads base64 of 32 bytes.
    ///
    /// # Errors
    /// `BadInput` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            Error::bad_input("not a public key; it is the one line of `signing.pub`, 44 characters")
        })
    }

    /// The key in `directory`.
    ///
    /// # Errors
    /// `BadInput` when there is none.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(PUBLIC_FILE);
        let text = regular::text(&path).map_err(|e| {
            let sentence =
                format!("{} cannot be read; name the key with `--public-key`", path.display());
            Error::bad_input(sentence).caused_by(e)
        })?;
        Self::parse(&text)
    }

    /// Whether this is the signature of that head.
    #[must_use]
    pub(in crate::audit) fn signed(
        &self,
        purpose: Purpose,
        seq: u64,
        hash: &Hash,
        time: Timestamp,
        signature: &str,
    ) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(&message(purpose, seq, hash, time), &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a signature is for. SECURITY: a checkpoint stands in the log for everybody to copy; were it
/// worth as much as a head, it would cover up that everything behind it was cut off (test
/// `i10_a_checkpoint_is_no_head`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Purpose {
    /// A record inside the log.
    Checkpoint,
    /// The last record so far.
    Head,
    /// The last record of a log that was closed.
    End,
    /// The last record that was removed by age.
    Pruned,
}

/// What is signed.
fn message(purpose: Purpose, seq: u64, hash: &Hash, time: Timestamp) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::Checkpoint => "checkpoint",
        Purpose::Head => "head",
        Purpose::End => "end",
        Purpose::Pruned => "pruned",
    };
    format!("memgate audit {purpose} v1\n{seq}\n{hash}\n{time}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_signed_and_nothing_but_that_head() {
        let directory = tempfile::tempdir().unwrap();
        let signer = Signer::open(directory.path(), None).unwrap();
        let (hash, time) = (Hash::GENESIS.then("x"), Timestamp::UNIX_EPOCH);
        let for_it = Purpose::Checkpoint;
        let signature = signer.sign(for_it, 7, &hash, time).unwrap();
        let public = PublicKey::read(directory.path()).unwrap();
        assert_eq!(public, Signer::open(directory.path(), None).unwrap().public());
        assert!(public.signed(for_it, 7, &hash, time, &signature));
        assert!(!public.signed(Purpose::Head, 7, &hash, time, &signature));
        assert!(!public.signed(for_it, 8, &hash, time, &signature));
        assert!(!public.signed(for_it, 7, &Hash::GENESIS, time, &signature));
        assert!(!public.signed(for_it, 7, &hash, Timestamp::MIN, &signature));
        assert!(!public.signed(for_it, 7, &hash, time, "nonsense"));
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Signer::open(elsewhere.path(), None).unwrap().public();
        assert!(!other.signed(for_it, 7, &hash, time, &signature));
    }

    #[test]
    fn the_key_can_lie_elsewhere_and_must_be_one() {
        let (directory, safe) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = safe.path().join("key.pem");
        fs::write(&path, "not a key").unwrap();
        let error = Signer::open(directory.path(), Some(&path)).unwrap_err();
        assert!(error.to_string().contains("openssl genpkey"), "{error}");
        let ecdsa = KeyPair::generate().unwrap().serialize_pem();
        fs::write(&path, ecdsa).unwrap();
        assert!(Signer::open(directory.path(), Some(&path)).is_err(), "another kind of key");
        fs::write(&path, KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem()).unwrap();
        let signer = Signer::open(directory.path(), Some(&path)).unwrap();
        assert_eq!(PublicKey::read(directory.path()).unwrap(), signer.public());
        assert!(!directory.path().join(PRIVATE_FILE).exists());
    }
}
