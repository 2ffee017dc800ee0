//! Where the chain ends, kept apart from it, so that a tail that was cut off is missed.
//!
//! The file `head` is written anew at every checkpoint. The same goes to the log of the process
//! and into the counts that operators scrape: copies that whoever can write these files may not
//! reach.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    chain::Hash,
    checkpoint::{PublicKey, Purpose, Signer},
    regular,
};
use crate::{
    db::data_dir::sync_parent,
    domain::{Error, Kind, Result},
};

/// The name of the file.
pub(in crate::audit) const FILE: &str = "head";
/// The name of its copy beside the directory.
const COPY: &str = "audit.head";

/// The last record at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Its number; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    #[serde(serialize_with = "text")]
    pub hash: Hash,
}

fn text<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

impl Head {
    /// Reads `SEQ:HASH`, as the log of the process and the counts show it.
    ///
    /// # Errors
    /// `BadInput` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once(':');
        let head = parts.and_then(|(seq, hash)| {
            Some(Self { seq: seq.parse().ok()?, hash: Hash::parse(hash)? })
        });
        head.ok_or_else(|| Error::bad_input("not a head; write the number, a colon, and 64 digits"))
    }
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    seq: u64,
    hash: String,
    /// Nothing came after it.
    closed: bool,
    time: Timestamp,
    signature: String,
}

/// What became of reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) enum Found {
    /// There is none.
    Missing,
    /// It is not what was written, or nobody we know signed it.
    Damaged,
    /// This one, signed. When the log was closed, nothing came after it.
    Signed {
        /// The last record.
        head: Head,
        /// Whether the log was closed with it.
        closed: bool,
    },
}

fn purpose(closed: bool) -> Purpose {
    if closed { Purpose::End } else { Purpose::Head }
}

/// The second copy: beside the directory, so that who can write only the log cannot take it along.
fn copy(directory: &Path) -> Option<PathBuf> {
    Some(directory.parent()?.join(COPY))
}

/// Writes the head in both places, whole or not at all; `closed` when nothing will come after it.
pub(in crate::audit) fn write(
    directory: &Path,
    head: Head,
    closed: bool,
    signer: &Signer,
    time: Timestamp,
) -> Result<()> {
    let signature = signer.sign(purpose(closed), head.seq, &head.hash, time)?;
    let hash = head.hash.to_string();
    let written = Written { seq: head.seq, hash, closed, time, signature };
    let mut text = serde_json::to_string(&written).map_err(Error::internal)?;
    text.push('\n');
    for path in [Some(directory.join(FILE)), copy(directory)].into_iter().flatten() {
        put(&path, &text).map_err(|e| {
            let sentence = "the head of the audit log cannot be written";
            Error::new(Kind::Unavailable, sentence).caused_by(e)
        })?;
        sync_parent(&path)?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = regular::open(&fresh, options.write(true).create(true).truncate(true))?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    fs::rename(&fresh, path)
}

/// Reads the head.
pub(in crate::audit) fn read(directory: &Path, keys: &[PublicKey]) -> Found {
    at(&directory.join(FILE), keys)
}

/// The copy that lies beside the directory, if it is there and signed.
pub(in crate::audit) fn kept(directory: &Path, keys: &[PublicKey]) -> Option<Head> {
    match at(&copy(directory)?, keys) {
        Found::Signed { head, .. } => Some(head),
        _ => None,
    }
}

fn at(path: &Path, keys: &[PublicKey]) -> Found {
    let text = match regular::text(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Found::Missing,
        // Something else lies there.
        Err(_) => return Found::Damaged,
        Ok(text) => text,
    };
    let found = || -> Option<Found> {
        let Written { seq, hash, closed, time, signature } = serde_json::from_str(&text).ok()?;
        let head = Head { seq, hash: Hash::parse(&hash)? };
        let for_it = purpose(closed);
        let signed = |key: &PublicKey| key.signed(for_it, seq, &head.hash, time, &signature);
        keys.iter().any(signed).then_some(Found::Signed { head, closed })
    };
    found().unwrap_or(Found::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_a_changed_one_does_not() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("audit");
        fs::create_dir(&directory).unwrap();
        let signer = Signer::open(&directory, None).unwrap();
        let keys = [signer.public()];
        assert_eq!(read(&directory, &keys), Found::Missing);
        let head = Head { seq: 7, hash: Hash::GENESIS.then("x") };
        assert_eq!(Head::parse(&head.to_string()).unwrap(), head);
        for closed in [false, true] {
            write(&directory, head, closed, &signer, Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(read(&directory, &keys), Found::Signed { head, closed });
            assert_eq!(kept(&directory, &keys), Some(head));
            let path = directory.join(FILE);
            let text = fs::read(&path).unwrap();
            for at in 0..text.len() - 1 {
                let mut changed = text.clone();
                changed[at] ^= 1;
                fs::write(&path, changed).unwrap();
                assert_eq!(read(&directory, &keys), Found::Damaged, "byte {at}");
            }
            let other = String::from_utf8(text).unwrap();
            let other = other.replace(&format!("{closed}"), &format!("{}", !closed));
            fs::write(&path, other).unwrap();
            assert_eq!(read(&directory, &keys), Found::Damaged, "it is signed too");
        }
    }
}
