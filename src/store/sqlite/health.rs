//! Whether an open database may still be trusted.
//!
//! After a fault the handle is never used again: the kernel forgets a page it could not write,
//! and the next sync on the same handle would say that all is well. The pool closes a suspect
//! database and opens it anew with a thorough check.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{
    db::sqlite::fault,
    domain::{Error, Result},
};

/// One open database's health, shared by its writer and its readers.
#[derive(Debug, Default)]
pub(super) struct Health {
    suspect: AtomicBool,
}

impl Health {
    /// Must it be closed and looked at?
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Acquire)
    }

    /// It must.
    pub(super) fn suspect(&self) {
        self.suspect.store(true, Ordering::Release);
    }

    /// Looks at an error on its way out; says whether the connection it came from is to be
    /// dropped.
    pub(super) fn note(&self, error: &Error) -> bool {
        let faulty = fault(error).is_some();
        if faulty {
            self.suspect();
        }
        faulty
    }
}

/// The files that a connection opened, to be recognised later.
///
/// A file that was unlinked or replaced under an open connection goes on taking writes that
/// nobody will ever find again. Two `stat` calls a commit see it before anything is acknowledged.
#[derive(Debug)]
pub(super) struct Witness {
    files: [(PathBuf, Identity); 2],
}

#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Witness {
    /// Remembers the database at `path` and its log, both of which must be there.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        Ok(Self { files: [(path.to_owned(), identity(path)?), (log.clone(), identity(&log)?)] })
    }

    /// What of it is no longer where it was, if anything.
    pub(super) fn lost(&self) -> Option<Lost> {
        let [(database, _), _] = &self.files;
        let emptied = database.symlink_metadata().is_ok_and(|meta| meta.len() == 0);
        let [database, log] = self
            .files
            .each_ref()
            .map(|(path, seen)| identity(path).is_ok_and(|found| found == *seen));
        match (database && !emptied, log) {
            (false, _) => Some(Lost::Database),
            (true, false) => Some(Lost::Log),
            (true, true) => None,
        }
    }
}

/// What was unlinked, replaced or emptied under an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The database itself.
    Database,
    /// Its log only: what the log holds can still be moved into the database.
    Log,
}

fn identity(path: &Path) -> Result<Identity> {
    let meta = path.symlink_metadata().map_err(Error::unavailable)?;
    Ok(Identity { device: meta.dev(), inode: meta.ino() })
}
