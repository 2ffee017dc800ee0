//! The one door to SQLite: every connection of the process is opened here, with the same
//! settings, each read back by a test.
//!
//! A connection cannot attach another file, change a setting, load an extension or follow a
//! link, whatever SQL it is given, and no statement outlives its deadline. Building SQL from
//! text is nobody's right: a test reads the sources for it.

use std::{
    fs::OpenOptions,
    ops::{Deref, DerefMut},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
};
use rustix::fs::OFlags;

use crate::domain::{Error, Kind, Result, clock::Clock};

/// Pragmas that a statement may still use once a connection is set up: they read, or write back
/// what is already committed. FTS5 itself asks for `data_version`.
const HARMLESS_PRAGMAS: [&str; 4] =
    ["data_version", "quick_check", "integrity_check", "wal_checkpoint"];

/// Instructions of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS_BETWEEN_CHECKS: i32 = 1000;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads and writes, and makes the file (mode 0600) when it is missing.
    Create,
    /// Reads and writes a file that must be there.
    Writer,
    /// Only reads, a file that must be there and have a writer.
    Reader,
}

/// What one connection may spend.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a lock of another connection is waited for.
    pub busy_timeout: Duration,
    /// The longest text or row, in bytes.
    pub max_value_bytes: i32,
    /// Pages kept in memory, in KiB. Small, so that a thousand open files stay cheap: the
    /// kernel's page cache is behind it.
    pub cache_kib: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), max_value_bytes: 4 << 20, cache_kib: 256 }
    }
}

/// One open connection.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    deadline: Arc<Deadline>,
}

#[derive(Debug)]
struct Deadline {
    clock: Arc<dyn Clock>,
    /// Nanoseconds of the monotonic clock, or [`NEVER`].
    at: AtomicU64,
}

impl Deadline {
    fn has_passed(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != NEVER && nanoseconds(self.clock.monotonic()) > at
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}

/// Puts a connection's deadline back when dropped.
#[derive(Debug)]
pub struct DeadlineGuard {
    deadline: Arc<Deadline>,
}

impl Drop for DeadlineGuard {
    fn drop(&mut self) {
        self.deadline.at.store(NEVER, Ordering::Relaxed);
    }
}

impl Database {
    /// Opens `path`, which must be absolute and free of symbolic links.
    ///
    /// # Errors
    /// `Unavailable` when the file is missing, a link, not a database, or not accessible.
    pub fn open(path: &Path, mode: Mode, limits: &Limits, clock: Arc<dyn Clock>) -> Result<Self> {
        if mode == Mode::Create {
            create_private(path)?;
        }
        let access = match mode {
            Mode::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Mode::Create | Mode::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        // NO_MUTEX: a connection is only ever used by one thread at a time, the borrow checker
        // sees to it.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        #[expect(clippy::disallowed_methods, reason = "this is the one door to SQLite")]
        let connection = Connection::open_with_flags(path, flags)?;
        let deadline = Arc::new(Deadline { clock, at: AtomicU64::new(NEVER) });
        let mut database = Self { connection, deadline };
        database.set_up(mode, limits)?;
        Ok(database)
    }

    /// Statements run until the guard is dropped fail with `Timeout` once `limit` has passed.
    #[must_use]
    pub fn within(&self, limit: Duration) -> DeadlineGuard {
        let at = nanoseconds(self.deadline.clock.monotonic().saturating_add(limit));
        self.deadline.at.store(at, Ordering::Relaxed);
        DeadlineGuard { deadline: Arc::clone(&self.deadline) }
    }

    /// Reads the whole file's structure.
    ///
    /// # Errors
    /// `Unavailable` when it is damaged; the cause says how.
    pub fn quick_check(&self) -> Result<()> {
        let verdict: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" {
            return Ok(());
        }
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(rusqlite::Error::SqliteFailure(code, Some(verdict)).into())
    }

    /// Moves what the write-ahead log holds into the database file and empties the log.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be written, `Overloaded` when a reader is in the way.
    pub fn checkpoint(&self) -> Result<()> {
        let busy: i64 =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(busy_error("a reader holds the log")) }
    }

    /// Leaves the log as it is when the connection closes: for a file that is to be looked at
    /// before anything more is written to it.
    ///
    /// # Errors
    /// `Internal`; SQLite knows the switch.
    pub fn keep_log_on_close(&self) -> Result<()> {
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(())
    }

    /// Runs `work` with the right to use every pragma: for this room's own marks in the file.
    pub(in crate::db) fn privileged<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        let done = work(&self.connection);
        self.connection.authorizer(Some(authorize))?;
        Ok(done?)
    }

    fn set_up(&mut self, mode: Mode, limits: &Limits) -> Result<()> {
        let connection = &mut self.connection;
        // First of all the switches that make a hostile file harmless: before this, nothing
        // reads the schema.
        for (switch, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
            // A plan does not depend on the values that are bound, so no statement is compiled
            // anew when they change; FTS5's own would be, for every word of every search.
            (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        ] {
            connection.set_db_config(switch, on)?;
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, limits.max_value_bytes),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 50),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 64),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, value)?;
        }
        connection.busy_timeout(limits.busy_timeout)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -limits.cache_kib)?;
        // A container's root file system is read-only: sorting never needs a temporary file.
        connection.pragma_update(None, "temp_store", "memory")?;
        match mode {
            Mode::Create | Mode::Writer => {
                connection.pragma_update(None, "journal_mode", "wal")?;
                // INVARIANT I6: FULL syncs the log before a commit returns; held by
                // `every_setting_reads_back` and the `kill -9` loop of `tests/durability`.
                connection.pragma_update(None, "synchronous", "full")?;
                connection.pragma_update(None, "secure_delete", "fast")?;
                connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
            }
            Mode::Reader => connection.pragma_update(None, "query_only", true)?,
        }
        let deadline = Arc::clone(&self.deadline);
        connection.progress_handler(STEPS_BETWEEN_CHECKS, Some(move || deadline.has_passed()))?;
        // SECURITY: last, because it forbids the settings above. Held by
        // `no_statement_attaches_sets_or_loads`.
        connection.authorizer(Some(authorize))?;
        Ok(())
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Database {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => false,
        AuthAction::Pragma { pragma_name, .. } => {
            HARMLESS_PRAGMAS.iter().any(|p| p.eq_ignore_ascii_case(pragma_name))
        }
        AuthAction::Function { function_name } => {
            !function_name.eq_ignore_ascii_case("load_extension")
        }
        _ => true,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// SQLite would make the file by the umask; its log and shared memory take over the file's mode.
fn create_private(path: &Path) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map(drop)
        .map_err(Error::unavailable)
}

fn busy_error(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        Kind::Overloaded { retry_after: Duration::from_secs(1) },
        "the store is busy; retry in 1 s",
    )
    .caused_by(cause)
}

/// What an error says of the file behind a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file is damaged, or not a database.
    Damaged,
    /// The system could not read or write it.
    Io,
}

/// The fault behind `error`, when SQLite found one. Full disks and locks are none: they pass.
#[must_use]
pub fn fault(error: &Error) -> Option<Fault> {
    let cause = std::error::Error::source(error)?.downcast_ref::<rusqlite::Error>()?;
    match cause.sqlite_error_code()? {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(Fault::Damaged),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly => Some(Fault::Io),
        _ => None,
    }
}

/// The outside never reads SQLite's words: they name tables and files.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                Self::new(Kind::Timeout, "the query took too long; ask for less").caused_by(error)
            }
            Some(ErrorCode::TooBig) => {
                Self::new(Kind::TooLarge, "larger than the store takes").caused_by(error)
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => busy_error(error),
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory
                | ErrorCode::NoLargeFileSupport,
            ) => Self::unavailable(error),
            _ => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests;
