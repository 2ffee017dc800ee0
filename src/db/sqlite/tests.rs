//! Every setting is read back, and what it forbids is tried.

use std::{os::unix::fs::MetadataExt as _, path::PathBuf};

use rusqlite::types::Value;

use super::*;
use crate::domain::clock::{ManualClock, SystemClock};

fn open(path: &Path, mode: Mode) -> Database {
    Database::open(path, mode, &Limits::default(), Arc::new(SystemClock::new())).unwrap()
}

fn fresh() -> (tempfile::TempDir, PathBuf, Database) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().canonicalize().unwrap().join("x.db");
    let database = open(&path, Mode::Create);
    (temp, path, database)
}

/// Reads a setting past the authorizer.
fn pragma(database: &mut Database, name: &str) -> String {
    let value = database
        .privileged(|c| c.pragma_query_value(None, name, |row| row.get::<_, Value>(0)))
        .unwrap();
    match value {
        Value::Integer(i) => i.to_string(),
        Value::Text(t) => t,
        other => format!("{other:?}"),
    }
}

#[test]
fn every_setting_reads_back() {
    let (_temp, path, mut writer) = fresh();
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("busy_timeout", "5000"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("secure_delete", "2"),
        ("journal_size_limit", "4194304"),
        ("mmap_size", "0"),
        ("cache_size", "-256"),
        ("temp_store", "2"),
        ("query_only", "0"),
    ] {
        assert_eq!(pragma(&mut writer, name), value, "{name}");
    }
    let mut reader = open(&path, Mode::Reader);
    for (name, value) in [
        ("journal_mode", "wal"),
        ("query_only", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("busy_timeout", "5000"),
        ("cache_size", "-256"),
        ("temp_store", "2"),
    ] {
        assert_eq!(pragma(&mut reader, name), value, "{name}");
    }
    for database in [&writer, &reader] {
        for (switch, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        ] {
            assert_eq!(database.db_config(switch).unwrap(), on, "{switch:?}");
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, 4 << 20),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 50),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 64),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            assert_eq!(database.limit(limit).unwrap(), value, "{limit:?}");
        }
    }
}

#[test]
fn the_library_is_new_enough() {
    // 3.51.3 mends the log reset, 3.53.2 an overflow in FTS5.
    assert!(rusqlite::version_number() >= 3_053_002, "{}", rusqlite::version());
}

#[test]
fn no_statement_attaches_sets_or_loads() {
    let (_temp, _path, writer) = fresh();
    for sql in [
        "ATTACH ':memory:' AS other",
        "ATTACH 'file:/etc/passwd' AS other",
        "DETACH main",
        "VACUUM INTO '/tmp/never'",
        "PRAGMA synchronous = OFF",
        "PRAGMA trusted_schema = ON",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode",
        "PRAGMA database_list",
        "SELECT load_extension('x')",
        "SELECT \"not a column\"",
    ] {
        assert!(writer.execute_batch(sql).is_err(), "{sql}");
    }
    writer.quick_check().unwrap();
}

#[test]
fn a_reader_cannot_write() {
    let (_temp, path, writer) = fresh();
    writer.execute_batch("CREATE TABLE t (x TEXT) STRICT; INSERT INTO t VALUES ('a')").unwrap();
    let reader = open(&path, Mode::Reader);
    assert_eq!(reader.query_row("SELECT x FROM t", [], |r| r.get::<_, String>(0)).unwrap(), "a");
    for sql in ["INSERT INTO t VALUES ('b')", "DELETE FROM t", "CREATE TABLE u (x TEXT)"] {
        assert!(reader.execute_batch(sql).is_err(), "{sql}");
    }
}

#[test]
fn files_are_private_and_links_are_not_followed() {
    let (temp, path, writer) = fresh();
    writer.execute_batch("CREATE TABLE t (x TEXT)").unwrap();
    for file in ["x.db", "x.db-wal", "x.db-shm"] {
        let mode = path.with_file_name(file).metadata().unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let link = temp.path().canonicalize().unwrap().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    for mode in [Mode::Create, Mode::Writer, Mode::Reader] {
        let refused = Database::open(&link, mode, &Limits::default(), Arc::clone(&clock));
        assert_eq!(refused.unwrap_err().kind(), Kind::Unavailable, "{mode:?}");
    }
}

#[test]
fn a_writer_does_not_make_a_missing_file() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().canonicalize().unwrap().join("gone.db");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let refused = Database::open(&path, Mode::Writer, &Limits::default(), clock).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(!path.exists());
    assert_eq!(refused.public(), "temporarily unavailable");
}

/// Counts for as long as it is let.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000) SELECT max(i) FROM n";

#[test]
fn a_statement_does_not_outlive_its_deadline() {
    /// Each look at the clock costs a millisecond.
    #[derive(Debug)]
    struct Ticking(ManualClock);
    impl Clock for Ticking {
        fn now(&self) -> jiff::Timestamp {
            self.0.now()
        }
        fn monotonic(&self) -> Duration {
            self.0.advance(Duration::from_millis(1));
            self.0.monotonic()
        }
    }
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().canonicalize().unwrap().join("x.db");
    let clock = Arc::new(Ticking(ManualClock::at(jiff::Timestamp::UNIX_EPOCH)));
    let database = Database::open(&path, Mode::Create, &Limits::default(), clock).unwrap();
    let run = |sql| database.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Error::from);
    {
        let _deadline = database.within(Duration::from_millis(250));
        assert_eq!(run(ENDLESS).unwrap_err().kind(), Kind::Timeout);
    }
    // The guard is gone, and so is the deadline.
    assert_eq!(run("SELECT 1").unwrap(), 1);
    let short = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT max(i) FROM n";
    assert_eq!(run(short).unwrap(), 200_000);
}

#[test]
fn sql_is_never_built_from_text() {
    fn visit(dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                for (number, window) in lines.windows(2).enumerate() {
                    // A macro's text may stand on the line after it.
                    let joined = window.join(" ");
                    let builds =
                        ["format!(", "write!(", "push_str("].iter().any(|m| window[0].contains(m));
                    let is_sql = [
                        "SELECT ",
                        "INSERT INTO",
                        "UPDATE ",
                        "DELETE FROM",
                        "CREATE ",
                        "PRAGMA ",
                        "DROP ",
                        "ALTER ",
                        "ATTACH ",
                    ]
                    .iter()
                    .any(|word| joined.contains(word));
                    if builds && is_sql {
                        found.push(format!("{}:{}", path.display(), number + 1));
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "SQL built from text: {found:?}");
}
