//! Whether the disk under the data directory takes writes, as a whole. The tenants' databases may
//! lie on a disk of their own; then there are two.
//!
//! A tenant's file that cannot be written says little: it may be damaged alone. So nobody's
//! failure is believed here (I11): the file system is asked for its room, and, when there is
//! reason to doubt, a small file is written, synced and removed. No database is touched.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use super::paths::Paths;

/// With less room than this the next commit may fail: a log grows to 4 MiB before it is emptied,
/// and the database by as much when that happens.
const LEAST_FREE: u64 = 8 << 20;
/// The file that a trial makes and removes.
const NAME: &str = "TRIAL";
/// What a trial writes.
static CONTENT: [u8; 64 << 10] = [0; 64 << 10];

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// It takes writes.
    #[default]
    Writable,
    /// There is no room, or our share of it is used up.
    Full,
    /// It is mounted read-only, by somebody or by the kernel after a fault.
    ReadOnly,
    /// It cannot be written or asked.
    Failing,
}

/// How closely the disk is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One question to the file system; nothing is written.
    Glance,
    /// A trial write besides.
    Trial,
}

/// Looks at the disk, or the two, of one data directory.
#[derive(Debug, Clone)]
pub struct Probe {
    root: PathBuf,
    tenants: PathBuf,
}

impl Probe {
    /// Of the disk that these paths lie on.
    #[must_use]
    pub fn of(paths: &Paths) -> Self {
        Self { root: paths.root().to_owned(), tenants: paths.tenants_dir() }
    }

    /// Looks. Blocks.
    #[must_use]
    pub fn look(&self, look: Look) -> Disk {
        match look_at(&self.root, look) {
            Disk::Writable if self.is_divided() => look_at(&self.tenants, look),
            found => found,
        }
    }

    /// Whether the tenants are on another disk; one that cannot be asked is looked at as well.
    fn is_divided(&self) -> bool {
        let device = |path: &Path| path.metadata().ok().map(|meta| meta.dev());
        device(&self.root) != device(&self.tenants)
    }
}

fn look_at(directory: &Path, look: Look) -> Disk {
    let found = match rustix::fs::statvfs(directory) {
        Ok(disk) => judge(
            disk.f_bavail.saturating_mul(disk.f_frsize),
            disk.f_flag.contains(StatVfsMountFlags::RDONLY),
        ),
        Err(cause) => because(&cause.into()),
    };
    match (found, look) {
        (Disk::Writable, Look::Trial) => {
            write(&directory.join(NAME)).map_or_else(|cause| because(&cause), |()| Disk::Writable)
        }
        _ => found,
    }
}

fn write(trial: &Path) -> io::Result<()> {
    clear(trial)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(trial)?;
    let written = file.write_all(&CONTENT).and_then(|()| file.sync_data());
    // What was written before a failure takes room, too.
    clear(trial).and(written)
}

fn clear(trial: &Path) -> io::Result<()> {
    match fs::remove_file(trial) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Apart from the question, so that disks which no test machine has can be judged too.
fn judge(free: u64, read_only: bool) -> Disk {
    if read_only {
        Disk::ReadOnly
    } else if free < LEAST_FREE {
        Disk::Full
    } else {
        Disk::Writable
    }
}

fn because(cause: &io::Error) -> Disk {
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Disk::Full,
        ErrorKind::ReadOnlyFilesystem => Disk::ReadOnly,
        _ => Disk::Failing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory, a probe of it, and where its trial is made.
    fn probe() -> (tempfile::TempDir, Probe, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::of(&Paths::below(directory.path()));
        fs::create_dir(&probe.tenants).unwrap();
        let trial = directory.path().join(NAME);
        (directory, probe, trial)
    }

    #[test]
    fn a_trial_leaves_nothing_and_a_glance_writes_nothing() {
        let (directory, probe, trial) = probe();
        fs::write(&trial, "of a process that was killed").unwrap();
        assert_eq!(probe.look(Look::Glance), Disk::Writable);
        assert!(trial.exists());
        assert_eq!(probe.look(Look::Trial), Disk::Writable);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&probe.tenants).unwrap().count(), 0);
    }

    #[test]
    fn a_trial_follows_no_link() {
        let (directory, probe, trial) = probe();
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &trial).unwrap();
        assert_eq!(probe.look(Look::Trial), Disk::Writable);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn what_cannot_be_written_or_asked_is_failing() {
        let (directory, probe, trial) = probe();
        fs::create_dir(&trial).unwrap();
        assert_eq!(probe.look(Look::Trial), Disk::Failing);
        fs::remove_dir(&probe.tenants).unwrap();
        assert_eq!(probe.look(Look::Glance), Disk::Failing, "the tenants' place is gone");
        drop(directory);
        assert_eq!(probe.look(Look::Glance), Disk::Failing);
    }

    #[test]
    fn every_fault_has_its_name() {
        assert_eq!(judge(LEAST_FREE, false), Disk::Writable);
        assert_eq!(judge(LEAST_FREE - 1, false), Disk::Full);
        assert_eq!(judge(u64::MAX, true), Disk::ReadOnly);
        for (number, disk) in [
            (rustix::io::Errno::NOSPC, Disk::Full),
            (rustix::io::Errno::DQUOT, Disk::Full),
            (rustix::io::Errno::ROFS, Disk::ReadOnly),
            (rustix::io::Errno::IO, Disk::Failing),
        ] {
            assert_eq!(because(&number.into()), disk, "{number}");
        }
    }
}
