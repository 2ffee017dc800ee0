//! Where the chain ends, kept apart from it, so that a tail that was cut off is missed.
//!
//! The file `head` is written anew at every checkpoint. The same goes to the log of the process
//! and into the counts that operators scrape: copies that whoever can write these files may not
//! reach.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    chain::Hash,
    checkpoint::{PublicKey, Purpose, Signer},
};
use crate::{
    db::data_dir::sync_parent,
    domain::{Error, Kind, Result},
};

/// The name of the file.
pub(in crate::audit) const FILE: &str = "head";

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
    /// This one, signed.
    Signed(Head),
}

/// Writes the head, whole or not at all.
pub(in crate::audit) fn write(
    directory: &Path,
    head: Head,
    signer: &Signer,
    time: Timestamp,
) -> Result<()> {
    let signature = signer.sign(Purpose::Head, head.seq, &head.hash, time)?;
    let written = Written { seq: head.seq, hash: head.hash.to_string(), time, signature };
    let mut text = serde_json::to_string(&written).map_err(Error::internal)?;
    text.push('\n');
    let (path, fresh) = (directory.join(FILE), directory.join("head.new"));
    let put = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&fresh, &path)
    };
    put().map_err(|e| {
        Error::new(Kind::Unavailable, "the head of the audit log cannot be written").caused_by(e)
    })?;
    sync_parent(&path)
}

/// Reads the head.
///
/// # Errors
/// `Unavailable` when there is a file and it cannot be read.
pub(in crate::audit) fn read(directory: &Path, keys: &[PublicKey]) -> Result<Found> {
    let text = match fs::read_to_string(directory.join(FILE)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Missing),
        Err(e) if e.kind() == ErrorKind::InvalidData => return Ok(Found::Damaged),
        text => text.map_err(Error::unavailable)?,
    };
    let found = || -> Option<Head> {
        let Written { seq, hash, time, signature } = serde_json::from_str(&text).ok()?;
        let head = Head { seq, hash: Hash::parse(&hash)? };
        let signed =
            keys.iter().any(|key| key.signed(Purpose::Head, seq, &head.hash, time, &signature));
        signed.then_some(head)
    };
    Ok(found().map_or(Found::Damaged, Found::Signed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_a_changed_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let signer = Signer::open(directory.path(), None).unwrap();
        let keys = [signer.public()];
        assert_eq!(read(directory.path(), &keys).unwrap(), Found::Missing);
        let head = Head { seq: 7, hash: Hash::GENESIS.then("x") };
        write(directory.path(), head, &signer, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(read(directory.path(), &keys).unwrap(), Found::Signed(head));
        assert_eq!(Head::parse(&head.to_string()).unwrap(), head);
        let path = directory.path().join(FILE);
        let text = fs::read(&path).unwrap();
        for at in 0..text.len() - 1 {
            let mut changed = text.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert_eq!(read(directory.path(), &keys).unwrap(), Found::Damaged, "byte {at}");
        }
    }
}
