//! One tenant's directory: what may stand there, and how its database comes to be.
//!
//! A database appears whole or not at all: it is made under another name and renamed. Once made
//! it leaves a mark outside the directory, so that a database that is gone is told from one that
//! never was: the first is refused, only the second is made (I3, I11).
//!
//! Files are examined by path and never opened here: closing a second handle on a database
//! would drop the locks of the connections that SQLite has open.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    db::{
        data_dir::{private_dir, sync_parent},
        paths::Paths,
    },
    domain::{Error, Result, tenant::TenantId},
};

/// A tenant's directory, examined.
#[derive(Debug, Clone)]
pub(super) struct TenantDir {
    dir: PathBuf,
    mark: PathBuf,
}

impl TenantDir {
    pub(super) fn of(paths: &Paths, id: &TenantId) -> Self {
        Self { dir: paths.tenant_dir(id), mark: paths.tenant_mark(id) }
    }

    /// The database file.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("memory.db")
    }

    /// Sees to it that the database is there and nothing else stands in its place. `make` builds
    /// a new one under the path it is given, and is called only for a tenant that never had one.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, empty, a link, shared with another name, or not
    /// ours. Nothing is changed then.
    pub(super) fn settle(&self, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let had_one = exists(&self.mark)?;
        if !exists(&self.dir)? && had_one {
            return Err(Error::unavailable("the tenant's directory is gone; restore it"));
        }
        private_dir(&self.dir).map_err(Error::unavailable)?;
        let database = self.database();
        for companion in ["memory.db-wal", "memory.db-shm"] {
            let path = self.dir.join(companion);
            if exists(&path)? {
                own_file(&path)?;
                if companion.ends_with("wal") && !exists(&database)? {
                    return Err(Error::unavailable("a log is there without its database"));
                }
            }
        }
        if exists(&database)? {
            // INVARIANT I3: an empty file is a lost database, not a new one; held by
            // `i3_a_lost_database_is_not_replaced`.
            if own_file(&database)?.len() == 0 {
                return Err(Error::unavailable("the database is empty; restore it"));
            }
        } else if had_one {
            return Err(Error::unavailable("the database is gone; restore it"));
        } else {
            self.make(make)?;
        }
        if had_one { Ok(()) } else { self.leave_mark() }
    }

    fn make(&self, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let unfinished = self.dir.join("new.db");
        for leftover in ["new.db", "new.db-wal", "new.db-shm"] {
            match fs::remove_file(self.dir.join(leftover)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::unavailable(e)),
                _ => {}
            }
        }
        make(&unfinished)?;
        fs::rename(&unfinished, self.database()).map_err(Error::unavailable)?;
        sync_parent(&self.database())
    }

    fn leave_mark(&self) -> Result<()> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.mark)
            .map_err(Error::unavailable)?;
        sync_parent(&self.mark)
    }
}

fn exists(path: &Path) -> Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::unavailable(e)),
    }
}

/// SECURITY: a link of either kind would let one tenant's database stand in for another's. Held
/// by `i11_links_and_copies_are_refused`.
fn own_file(path: &Path) -> Result<Metadata> {
    let meta = path.symlink_metadata().map_err(Error::unavailable)?;
    let why = if !meta.is_file() {
        "is not a regular file"
    } else if meta.nlink() != 1 {
        "has a second name (hard link)"
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else {
        return Ok(meta);
    };
    Err(Error::unavailable(format!("{} {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::{
        db::data_dir::DataDir,
        domain::{Kind, random::OsEntropy},
    };

    struct World {
        _temp: tempfile::TempDir,
        data: DataDir,
        id: TenantId,
    }

    impl World {
        fn new() -> Self {
            let temp = tempfile::tempdir().unwrap();
            let data = DataDir::open(&temp.path().join("data")).unwrap();
            Self { _temp: temp, data, id: TenantId::random(&OsEntropy) }
        }

        fn dir(&self) -> TenantDir {
            TenantDir::of(self.data.paths(), &self.id)
        }

        /// Settles with a maker that writes one line; says whether it was called.
        fn settle(&self) -> Result<bool> {
            let mut made = false;
            self.dir().settle(|path| {
                made = true;
                fs::write(path, "made").map_err(Error::unavailable)
            })?;
            Ok(made)
        }

        fn refused(&self) -> String {
            let error = self.settle().unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert_eq!(error.public(), "temporarily unavailable");
            error.to_string()
        }
    }

    #[test]
    fn the_first_time_makes_it_and_the_second_finds_it() {
        let world = World::new();
        assert!(world.settle().unwrap());
        assert!(!world.settle().unwrap());
        let mode = world.data.paths().tenant_dir(&world.id).metadata().unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn an_interrupted_making_starts_again() {
        let world = World::new();
        let failed = world.dir().settle(|path| {
            fs::write(path, "half").unwrap();
            Err(Error::unavailable("killed"))
        });
        assert!(failed.is_err());
        assert!(!world.dir().database().exists());
        assert!(world.settle().unwrap());
        assert_eq!(fs::read_to_string(world.dir().database()).unwrap(), "made");
    }

    #[test]
    fn i3_a_lost_database_is_not_replaced() {
        let world = World::new();
        world.settle().unwrap();
        let database = world.dir().database();

        fs::write(&database, "").unwrap();
        assert!(world.refused().contains("empty"));
        assert_eq!(database.metadata().unwrap().len(), 0);

        fs::remove_file(&database).unwrap();
        assert!(world.refused().contains("gone"));
        assert!(!database.exists());

        fs::remove_dir_all(database.parent().unwrap()).unwrap();
        assert!(world.refused().contains("gone"));
        assert!(!database.parent().unwrap().exists());
    }

    #[test]
    fn a_log_alone_is_refused() {
        let world = World::new();
        private_dir(&world.data.paths().tenant_dir(&world.id)).unwrap();
        fs::write(world.dir().database().with_file_name("memory.db-wal"), "x").unwrap();
        assert!(world.refused().contains("without its database"));
    }

    #[test]
    fn a_restored_database_gets_its_mark_back() {
        let world = World::new();
        world.settle().unwrap();
        fs::remove_file(world.data.paths().tenant_mark(&world.id)).unwrap();
        assert!(!world.settle().unwrap());
        fs::remove_file(world.dir().database()).unwrap();
        assert!(world.refused().contains("gone"));
    }

    #[test]
    fn i11_links_are_refused() {
        let world = World::new();
        world.settle().unwrap();
        let database = world.dir().database();
        let aside = database.with_file_name("aside");

        fs::rename(&database, &aside).unwrap();
        symlink(&aside, &database).unwrap();
        assert!(world.refused().contains("not a regular file"));

        fs::remove_file(&database).unwrap();
        fs::hard_link(&aside, &database).unwrap();
        assert!(world.refused().contains("second name"));
        fs::remove_file(&aside).unwrap();
        world.settle().unwrap();

        symlink("/dev/null", database.with_file_name("memory.db-wal")).unwrap();
        assert!(world.refused().contains("not a regular file"));
        fs::remove_file(database.with_file_name("memory.db-wal")).unwrap();

        let dir = database.parent().unwrap().to_owned();
        let moved = dir.with_extension("moved");
        fs::rename(&dir, &moved).unwrap();
        symlink(&moved, &dir).unwrap();
        assert!(world.refused().contains("symbolic link"));
    }

    #[test]
    fn i3_a_directory_that_others_can_enter_is_refused() {
        let world = World::new();
        world.settle().unwrap();
        let dir = world.data.paths().tenant_dir(&world.id);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(world.refused().contains("chmod 700"));
    }
}
