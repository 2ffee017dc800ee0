//! The log on the disk: numbered, chained, signed now and then, one file after the other.
//!
//! One value of this type writes to a directory at a time; it lives under the lock of the data
//! directory. What must stay true: what [`append`](Log::append) has returned for is complete in
//! the file, and what it failed for is not there at all, so that it can be tried again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{
    chain::{self, Hash},
    checkpoint::{PublicKey, Purpose, Signer},
    digest::{self, Digester},
    frame::{self, Checkpoint},
    head::{self, Head},
    record::{Event, Outcome, Record},
    regular,
    segment::Segment,
};
use crate::{
    config,
    db::data_dir::{DataDir, private_dir, sync_parent},
    domain::{Error, Kind, Result, clock::Clock, random::Entropy},
};

mod prune;
mod recover;

use self::recover::Recovered;

/// Bytes that a record and a signature take at most, and more.
const PROBE: usize = 16 << 10;
/// Records between two checkpoints.
const RECORDS: u64 = 1_000;
/// Records of one group at most.
pub(in crate::audit) const GROUP: usize = 1_024;
/// More than so many are never without a signature for long.
pub(in crate::audit) const MOST_UNSIGNED: u64 = RECORDS + GROUP as u64;

/// Appends to the log of one data directory.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    settings: config::audit::Audit,
    signer: Signer,
    digester: Digester,
    clock: Arc<dyn Clock>,
    /// None after a failure: opened again by the next who writes.
    file: Option<Open>,
    /// The head says that nothing comes any more.
    closed: bool,
    last: Head,
    /// The last signed head.
    signed: Head,
    /// What was found when it was opened and nobody has done well.
    trouble: Vec<String>,
}

/// The segment that grows.
#[derive(Debug)]
struct Open {
    file: File,
    segment: Segment,
    /// Bytes of whole records.
    length: u64,
}

impl Log {
    /// Opens the log of a data directory, which is made when it is missing, and goes on where it
    /// ended. What was cut or changed meanwhile is not hidden by that: the numbers go on after
    /// the last one that was signed. Blocks: start-up and commands only.
    ///
    /// # Errors
    /// `Unavailable` when files cannot be read or written, or a key is no key.
    pub fn open(
        data: &DataDir,
        settings: &config::audit::Audit,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        Self::at(data.paths().audit_dir(), settings, clock, entropy)
    }

    pub(in crate::audit) fn at(
        directory: PathBuf,
        settings: &config::audit::Audit,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        private_dir(&directory)?;
        let signer = Signer::open(&directory, settings.signing_key.as_deref())?;
        // Made with the first log, so where it is there has been one.
        let had_log = directory.join(digest::KEY_FILE).exists();
        let digester = Digester::open(&directory, entropy)?;
        let found = recover::look(&directory, &[signer.public()], had_log)?;
        if found.is_new() {
            // So that from the first record on a head that is not there was taken away.
            head::write(&directory, found.last, false, &signer, clock.now())?;
        }
        let Recovered { last, segment, torn, closed, mut trouble } = found;
        if let Some(before) = &signer.replaces {
            trouble.push(format!("another key signs than before, which was {before}"));
        }
        for what in &trouble {
            tracing::error!(target: "memgate::audit", what, "the audit log is not as it was left");
        }
        let mut log = Self {
            file: segment.map(Open::again).transpose().map_err(unwritable)?,
            settings: settings.clone(),
            directory,
            signer,
            digester,
            clock,
            closed,
            last,
            signed: Head { seq: 0, hash: Hash::GENESIS },
            trouble,
        };
        // In the chain as well, so that it cannot be got rid of by another start.
        let failed = log.trouble.iter().map(|what| (what.clone(), Outcome::Failed));
        let found: Vec<_> =
            torn.map(|what| (what, Outcome::Allowed)).into_iter().chain(failed).collect();
        for (what, outcome) in found {
            let detail = Some(what.into());
            let record = Record { detail, ..Record::new(Event::Start, "recovery", outcome) };
            log.append(&[record.object(log.clock.now())?], true)?;
        }
        Ok(log)
    }

    /// Makes digests of arguments for this log.
    #[must_use]
    pub fn digester(&self) -> &Digester {
        &self.digester
    }

    /// Where it lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Who verifies needs this.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.signer.public()
    }

    /// What was recorded is signed within this.
    #[must_use]
    pub fn checkpoint_interval(&self) -> Duration {
        self.settings.checkpoint_interval
    }

    /// The last record.
    #[must_use]
    pub fn last(&self) -> Head {
        self.last
    }

    /// The last record that was signed.
    #[must_use]
    pub fn signed(&self) -> Head {
        self.signed
    }

    /// What was not as it was left when the log was opened.
    #[must_use]
    pub fn trouble(&self) -> &[String] {
        &self.trouble
    }

    /// Writes one record and signs the head: for commands, which write one and end.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub fn write(&mut self, record: &Record<'_>) -> Result<()> {
        self.append(&[record.object(self.clock.now())?], true)?;
        self.close()
    }

    /// Whether a record could be written now: room for one is taken and given back.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub fn probe(&mut self) -> Result<()> {
        let path = self.directory.join("probe");
        let mut options = OpenOptions::new();
        let room = regular::open(&path, options.write(true).create(true).truncate(true))
            .and_then(|mut file| file.write_all(&[b' '; PROBE]).and_then(|()| file.sync_data()));
        let gone = fs::remove_file(&path);
        room.and(gone).map_err(unwritable)
    }

    /// Signs the head as the last one: nothing comes any more until the log is opened again.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub(in crate::audit) fn close(&mut self) -> Result<()> {
        self.checkpoint()?;
        self.write_head(true)
    }

    fn write_head(&mut self, closed: bool) -> Result<()> {
        head::write(&self.directory, self.last, closed, &self.signer, self.clock.now())?;
        self.closed = closed;
        Ok(())
    }

    /// Appends records, all or none. With `durable` they survive a power cut when this returns.
    ///
    /// # Errors
    /// `Unavailable`; then none of them is in the log.
    pub(in crate::audit) fn append(&mut self, objects: &[String], durable: bool) -> Result<()> {
        if self.closed {
            // First: a process that dies leaves records behind it, and that is no crime.
            self.write_head(false)?;
        }
        if self.file.as_ref().is_some_and(|open| open.length >= self.most()) {
            self.checkpoint()?;
            self.file = None;
        }
        let mut seq = self.last.seq;
        let mut hash = self.last.hash;
        let mut text = String::with_capacity(objects.iter().map(|o| o.len() + 96).sum());
        let fresh = self.file.is_none();
        if fresh {
            (seq, hash) = self.link_checkpoint(&mut text, Head { seq, hash })?;
        }
        let first = self.last.seq + 1;
        for object in objects {
            seq += 1;
            hash = chain::link(&mut text, &hash, &frame::body(seq, object));
        }
        let open = match self.file.take() {
            Some(open) => open,
            None => Open::fresh(Segment::named(&self.directory, first)).map_err(unwritable)?,
        };
        // Only a file that took everything is kept.
        self.file = Some(open.take(text.as_bytes(), durable).map_err(unwritable)?);
        let before = std::mem::replace(&mut self.last, Head { seq, hash });
        if fresh {
            self.signed = before;
        }
        // The records are written, whatever becomes of the signature.
        if self.last.seq - self.signed.seq > RECORDS
            && let Err(error) = self.checkpoint()
        {
            tracing::error!(target: "memgate::audit", %error, "the audit log was not signed");
        }
        Ok(())
    }

    /// Signs the head, writes it where it is kept apart, and tells it to the log of the process.
    /// Without a record since the last time, nothing happens.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written.
    pub(in crate::audit) fn checkpoint(&mut self) -> Result<()> {
        if self.is_signed() {
            return Ok(());
        }
        self.find_again();
        if let Some(open) = self.file.take() {
            let (mut text, head) = (String::new(), self.last);
            let (seq, hash) = self.link_checkpoint(&mut text, head)?;
            self.file = Some(open.take(text.as_bytes(), true).map_err(unwritable)?);
            (self.last, self.signed) = (Head { seq, hash }, head);
        } else {
            // A new file begins with a checkpoint.
            self.append(&[], true)?;
        }
        self.write_head(false)?;
        tracing::info!(target: "memgate::audit", head = %self.last, "the audit log was signed");
        Ok(())
    }

    /// Whether there is nothing since the last checkpoint but itself.
    fn is_signed(&self) -> bool {
        self.last.seq <= self.signed.seq + 1
    }

    fn link_checkpoint(&self, text: &mut String, head: Head) -> Result<(u64, Hash)> {
        let time = self.clock.now();
        let signature = self.signer.sign(Purpose::Checkpoint, head.seq, &head.hash, time)?;
        let object = Checkpoint::object(time, &head.hash, self.signer.public(), &signature);
        let seq = head.seq + 1;
        Ok((seq, chain::link(text, &head.hash, &frame::body(seq, &object))))
    }

    /// SECURITY: a file that was moved or removed while we write would take our records with it;
    /// then the next one begins, and the gap shows (test `i10_a_log_that_is_moved_away_is_missed`).
    fn find_again(&mut self) {
        let Some(open) = &self.file else { return };
        if open.is_in_place() {
            return;
        }
        let name = open.segment.name();
        tracing::error!(target: "memgate::audit", name, "a file of the audit log was moved or changed");
        self.trouble.push(format!("{name} was moved or changed while it was written"));
        self.file = None;
    }

    fn most(&self) -> u64 {
        self.settings.segment_bytes as u64
    }
}

impl Open {
    fn fresh(segment: Segment) -> io::Result<Self> {
        let file = regular::open(&segment.path, OpenOptions::new().append(true).create(true))?;
        // What lies there under this name was never told to be written.
        file.set_len(0)?;
        if let Err(error) = sync_parent(&segment.path) {
            let _ = fs::remove_file(&segment.path);
            return Err(io::Error::other(error));
        }
        Ok(Self { file, segment, length: 0 })
    }

    fn again(segment: Segment) -> io::Result<Self> {
        let file = regular::open(&segment.path, OpenOptions::new().append(true))?;
        let length = file.metadata()?.len();
        Ok(Self { file, segment, length })
    }

    /// Writes all of it, or leaves the file as it was; a file that cannot be left as it was is
    /// not written to again, and neither is one whose writes are in doubt.
    fn take(mut self, bytes: &[u8], durable: bool) -> io::Result<Self> {
        let written = self.file.write_all(bytes);
        let kept = written.and_then(|()| if durable { self.file.sync_data() } else { Ok(()) });
        match kept {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(self)
            }
            Err(error) => {
                self.file.set_len(self.length)?;
                if self.length == 0 {
                    fs::remove_file(&self.segment.path)?;
                }
                Err(error)
            }
        }
    }

    /// Whether what we write to is what lies there under its name, and ends where we wrote last.
    fn is_in_place(&self) -> bool {
        let ours = self.file.metadata();
        let there = fs::symlink_metadata(&self.segment.path);
        let same = |a: &fs::Metadata, b: &fs::Metadata| a.ino() == b.ino() && a.dev() == b.dev();
        matches!((ours, there), (Ok(ours), Ok(there))
            if same(&ours, &there) && ours.len() == self.length)
    }
}

fn unwritable(cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "the audit log cannot be written").caused_by(cause)
}

#[cfg(test)]
mod tests;
