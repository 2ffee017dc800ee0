//! The data directory: made private, judged before it is trusted, held by one process.
//!
//! What is wrong with a directory is told in sentences for the operator who named it: they say
//! what to do and carry the path. They are start-up errors and never an answer to a caller.
//! [`DataDir::check`] says the same without making, changing or locking anything.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{OFlags, StatVfsMountFlags};

use super::paths::Paths;
use crate::domain::{Error, Kind, Result};

/// Directories that hold nothing for anybody else.
const PRIVATE_DIR: u32 = 0o700;
/// Files that hold nothing for anybody else.
const PRIVATE_FILE: u32 = 0o600;

/// File systems whose locks and shared memory SQLite cannot rely on (`statfs` magic numbers).
const NETWORK_FILE_SYSTEMS: [(u32, &str); 5] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x517B, "SMB"),
    (0x0102_1997, "9p"),
];

/// The data directory of this process, locked for as long as this value lives.
pub struct DataDir {
    paths: Paths,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, judges it, and takes the lock.
    ///
    /// # Errors
    /// `BadInput` when the directory is not safe to use (the sentence says the fix), `Conflict`
    /// when another process holds it, `Unavailable` when the system refuses.
    pub fn open(path: &Path) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path).map_err(|e| {
            let fix = "name another one with `--data-dir`, or make the directory above it writable";
            refused(format!("the data directory {} cannot be made; {fix}", path.display()), e)
        })?;
        let root = canonical(path)?;
        let paths = Paths::below(root);
        if let Some(problem) = problems(&paths)?.into_iter().next() {
            return Err(problem);
        }
        let lock = take_lock(&paths)?;
        for dir in [paths.tenants_dir(), paths.marks_dir()] {
            private_dir(&dir)?;
        }
        Ok(Self { paths, _lock: lock })
    }

    /// Everything that [`open`](Self::open) would refuse, all at once, without touching
    /// anything. A directory that does not exist yet has no problem.
    #[must_use]
    pub fn check(path: &Path) -> Vec<Error> {
        if matches!(path.symlink_metadata(), Err(e) if e.kind() == ErrorKind::NotFound) {
            return Vec::new();
        }
        match canonical(path).and_then(|root| problems(&Paths::below(root))) {
            Ok(problems) => problems,
            Err(problem) => vec![problem],
        }
    }

    /// What lies where.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }
}

impl fmt::Debug for DataDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataDir").field(&self.paths.root()).finish()
    }
}

/// Makes a directory that only its owner can enter; one that exists must be such a directory
/// already.
///
/// # Errors
/// `BadInput` when something else stands there, `Unavailable` when the system refuses.
pub fn private_dir(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(PRIVATE_DIR).create(path) {
        Ok(()) => sync_parent(path),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let facts = Facts::of(path)?;
            facts.problems(path).into_iter().next().map_or(Ok(()), Err)
        }
        Err(e) => Err(refused(format!("the directory {} cannot be made", path.display()), e)),
    }
}

/// Makes the entry of `path` in its directory survive a power cut.
///
/// # Errors
/// `Unavailable` when the system refuses.
pub fn sync_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    // The directory of a bare name is the working directory, and is written as nothing.
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(Error::unavailable)
}

/// Symlinks above the data directory are the operator's business and are resolved once, here:
/// every later path is free of them, and SQLite is told to follow none.
fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize()
        .map_err(|e| refused(format!("the data directory {} cannot be read", path.display()), e))
}

fn problems(paths: &Paths) -> Result<Vec<Error>> {
    let mut found = Facts::of(paths.root())?.problems(paths.root());
    let inside = [paths.tenants_dir(), paths.marks_dir(), paths.bootstrap_dir(), paths.audit_dir()];
    for dir in inside {
        if dir.symlink_metadata().is_ok() {
            found.extend(Facts::of(&dir)?.problems(&dir));
        }
    }
    Ok(found)
}

/// What the system says of a directory; apart from its judgement, so that file systems which no
/// test machine has can be judged too.
#[derive(Debug, Clone)]
struct Facts {
    is_dir: bool,
    is_symlink: bool,
    owner: u32,
    us: u32,
    mode: u32,
    magic: u32,
    read_only: bool,
}

impl Facts {
    fn of(path: &Path) -> Result<Self> {
        let unreadable = |e| refused(format!("{} cannot be examined", path.display()), e);
        let meta = path.symlink_metadata().map_err(unreadable)?;
        let file_system = rustix::fs::statfs(path).map_err(|e| unreadable(e.into()))?;
        let mount = rustix::fs::statvfs(path).map_err(|e| unreadable(e.into()))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "magic numbers are 32 bits wide whatever the field is"
        )]
        let magic = file_system.f_type as u32;
        Ok(Self {
            is_dir: meta.is_dir(),
            is_symlink: meta.is_symlink(),
            owner: meta.uid(),
            us: rustix::process::geteuid().as_raw(),
            mode: meta.mode() & 0o7777,
            magic,
            read_only: mount.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    fn problems(&self, path: &Path) -> Vec<Error> {
        let shown = path.display();
        let mut found = Vec::new();
        let mut say = |sentence: String| found.push(Error::bad_input(sentence));
        if self.is_symlink {
            say(format!(
                "{shown} is a symbolic link where a directory should be; put the real directory there"
            ));
            return found;
        }
        if !self.is_dir {
            say(format!(
                "{shown} is not a directory; move it away, or name another data directory with `--data-dir`"
            ));
            return found;
        }
        if self.owner != self.us {
            say(format!(
                "{shown} belongs to user {}, memgate runs as user {}; run `chown -R {} {shown}`, or run memgate as its owner",
                self.owner, self.us, self.us
            ));
        }
        if self.mode & 0o077 != 0 {
            say(format!(
                "others can enter {shown} (mode {:04o}); run `chmod 700 {shown}`",
                self.mode
            ));
        } else if self.mode & 0o700 != 0o700 {
            say(format!(
                "memgate cannot use {shown} (mode {:04o}); run `chmod 700 {shown}`",
                self.mode
            ));
        }
        if let Some((_, name)) = NETWORK_FILE_SYSTEMS.iter().find(|(m, _)| *m == self.magic) {
            say(format!(
                "{shown} is on a network file system ({name}), where SQLite loses data; use a local disk or a block volume"
            ));
        }
        if self.read_only {
            say(format!("{shown} is on a read-only file system; mount it for writing"));
        }
        found
    }
}

/// The kernel drops the lock with the process, however it ends; the file stays and is harmless.
/// It holds the process id for the sentence that a second process prints.
fn take_lock(paths: &Paths) -> Result<File> {
    let unusable = |e| refused(format!("{} cannot be locked", paths.lock().display()), e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(paths.lock())
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.take(20).read_to_string(&mut holder).is_ok() && !holder.is_empty();
            let who = if known { format!(" ({})", holder.trim()) } else { String::new() };
            return Err(Error::new(
                Kind::Conflict,
                format!(
                    "another process{who} uses the data directory {}; stop it, or name another one with `--data-dir`",
                    paths.root().display()
                ),
            ));
        }
        Err(TryLockError::Error(e)) => return Err(unusable(e)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unusable)?;
    Ok(file)
}

fn refused(sentence: String, cause: std::io::Error) -> Error {
    Error::new(Kind::Unavailable, sentence).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn good() -> Facts {
        Facts {
            is_dir: true,
            is_symlink: false,
            owner: 7,
            us: 7,
            mode: 0o700,
            magic: 0xEF53,
            read_only: false,
        }
    }

    fn sentences(facts: &Facts) -> Vec<String> {
        facts.problems(Path::new("/d")).iter().map(|e| e.public().to_owned()).collect()
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        assert!(DataDir::check(&path).is_empty());
        assert!(!path.exists(), "a check makes nothing");
        let dir = DataDir::open(&path).unwrap();
        for made in [dir.paths().root().to_owned(), dir.paths().tenants_dir()] {
            assert_eq!(mode(&made), 0o700, "{made:?}");
        }
        assert_eq!(mode(&dir.paths().lock()), 0o600);
    }

    #[test]
    fn a_second_process_is_refused_while_the_first_lives() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        let first = DataDir::open(&path).unwrap();
        let refused = DataDir::open(&path).unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
        assert!(refused.public().contains(&std::process::id().to_string()), "{refused}");
        assert!(DataDir::check(&path).is_empty(), "a check takes no lock");
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn i3_what_others_can_enter_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        drop(DataDir::open(&path).unwrap());
        for mode in [0o750, 0o701, 0o777, 0o704, 0o500] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = DataDir::open(&path).unwrap_err();
            assert!(refused.public().contains("chmod 700"), "{mode:o}: {refused}");
            assert_eq!(DataDir::check(&path).len(), 1);
        }
    }

    #[test]
    fn a_link_inside_is_refused_and_one_above_is_resolved() {
        let temp = tempfile::tempdir().unwrap();
        let real = temp.path().join("real");
        drop(DataDir::open(&real).unwrap());
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let dir = DataDir::open(&link).unwrap();
        assert_eq!(dir.paths().root(), real.canonicalize().unwrap());
        drop(dir);

        let elsewhere = temp.path().join("elsewhere");
        std::fs::rename(real.join("tenants"), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, real.join("tenants")).unwrap();
        let refused = DataDir::open(&real).unwrap_err();
        assert!(refused.public().contains("symbolic link"), "{refused}");
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("data");
        drop(DataDir::open(&path).unwrap());
        let victim = temp.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::fs::remove_file(path.join("LOCK")).unwrap();
        std::os::unix::fs::symlink(&victim, path.join("LOCK")).unwrap();
        assert!(DataDir::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn every_fault_has_its_sentence() {
        assert!(sentences(&good()).is_empty());
        let cases = [
            (Facts { is_symlink: true, is_dir: false, ..good() }, "symbolic link"),
            (Facts { is_dir: false, ..good() }, "not a directory"),
            (Facts { owner: 8, ..good() }, "chown -R 7"),
            (Facts { mode: 0o770, ..good() }, "chmod 700"),
            (Facts { magic: 0x6969, ..good() }, "NFS"),
            (Facts { magic: 0xFF53_4D42, ..good() }, "CIFS"),
            (Facts { magic: 0xFE53_4D42, ..good() }, "SMB2"),
            (Facts { magic: 0x517B, ..good() }, "SMB"),
            (Facts { magic: 0x0102_1997, ..good() }, "9p"),
            (Facts { read_only: true, ..good() }, "read-only"),
        ];
        for (facts, word) in cases {
            let said = sentences(&facts);
            assert_eq!(said.len(), 1, "{facts:?}: {said:?}");
            assert!(said[0].contains(word), "{said:?}");
        }
        let all = Facts { owner: 8, mode: 0o777, magic: 0x6969, read_only: true, ..good() };
        assert_eq!(sentences(&all).len(), 4, "all at once");
    }
}
