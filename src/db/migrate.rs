//! A file's marks, and its way to the present schema.
//!
//! A database carries an application id (what it is), an owner (whose it is) and the list of
//! migrations it went through with their checksums. A file with other marks is refused, so one
//! that was copied over another never answers in its place. Migrations only go forward, each in
//! one transaction; a file that a newer memgate made is left alone.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use super::sqlite::Database;
use crate::domain::{Error, Result};

/// One step, written once and never changed afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// For people, for example `0001_memories`.
    pub name: &'static str,
    /// Its statements, from an embedded file.
    pub sql: &'static str,
}

/// What a kind of database looks like.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Stands in the file's header: what the file is.
    pub application_id: i32,
    /// Every step from the empty file, oldest first.
    pub migrations: &'static [Migration],
}

/// What to do with a file that holds nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfEmpty {
    /// It is new: mark it and give it the schema.
    Install,
    /// It should hold something: what it held is lost.
    Refuse,
}

const MARKS: &str = "
    CREATE TABLE mark (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE migration (
        version  INTEGER PRIMARY KEY,
        name     TEXT NOT NULL,
        checksum TEXT NOT NULL
    ) STRICT;
";

impl Schema {
    /// Checks the marks of `database` against this schema and `owner`, and brings it up to date.
    ///
    /// # Errors
    /// `Unavailable` when the file is empty and should not be, is something else, belongs to
    /// somebody else, is newer than this program, or went through other migrations. Nothing is
    /// changed then.
    pub fn bring_up(&self, database: &mut Database, owner: &str, if_empty: IfEmpty) -> Result<()> {
        if is_empty(database)? {
            if if_empty == IfEmpty::Refuse {
                return Err(Error::unavailable("the database is empty"));
            }
            self.mark(database, owner)?;
        } else {
            self.check_marks(database, owner)?;
        }
        for (index, migration) in self.pending(database)? {
            apply(database, index, migration)?;
        }
        Ok(())
    }

    fn mark(&self, database: &mut Database, owner: &str) -> Result<()> {
        let application_id = self.application_id;
        database.privileged(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction.pragma_update(None, "application_id", application_id)?;
            transaction.execute_batch(MARKS)?;
            transaction.execute("INSERT INTO mark VALUES ('owner', ?1)", [owner])?;
            transaction.commit()
        })
    }

    /// INVARIANT I3: a mark that is missing is a mark that is wrong; held by
    /// `i3_a_file_with_other_marks_is_refused`.
    fn check_marks(&self, database: &mut Database, owner: &str) -> Result<()> {
        let id: i32 = database
            .privileged(|c| c.pragma_query_value(None, "application_id", |row| row.get(0)))?;
        if id != self.application_id {
            return Err(Error::unavailable(format!("not a file of this kind (id {id})")));
        }
        let found: Option<String> = database
            .query_row("SELECT value FROM mark WHERE name = 'owner'", [], |row| row.get(0))
            .optional()?;
        match found {
            Some(found) if found == owner => Ok(()),
            Some(found) => Err(Error::unavailable(format!("the file belongs to {found}"))),
            None => Err(Error::unavailable("the file says of nobody that it is theirs")),
        }
    }

    /// The steps still to go, after checking those behind.
    fn pending(&self, database: &Connection) -> Result<Vec<(usize, &'static Migration)>> {
        let mut statement =
            database.prepare("SELECT version, name, checksum FROM migration ORDER BY version")?;
        let applied = statement
            .query_map([], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if applied.len() > self.migrations.len() {
            return Err(Error::unavailable(format!(
                "made by a newer memgate: schema {}, this one knows {}",
                applied.len(),
                self.migrations.len()
            )));
        }
        let mut known = self.migrations.iter().enumerate();
        for ((version, name, sum), (index, migration)) in applied.iter().zip(known.by_ref()) {
            if *version != number(index) || *sum != checksum(migration) {
                return Err(Error::unavailable(format!(
                    "migration {version} `{name}` is not the one this memgate knows"
                )));
            }
        }
        Ok(self.migrations.iter().enumerate().skip(applied.len()).collect())
    }
}

fn is_empty(database: &Database) -> Result<bool> {
    let objects: i64 =
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0)
}

fn apply(database: &mut Database, index: usize, migration: &Migration) -> Result<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "INSERT INTO migration VALUES (?1, ?2, ?3)",
        (number(index), migration.name, checksum(migration)),
    )?;
    Ok(transaction.commit()?)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).map_or(i64::MAX, |i| i.saturating_add(1))
}

fn checksum(migration: &Migration) -> String {
    Sha256::digest(migration.sql).iter().fold(String::with_capacity(64), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::{
        db::sqlite::{Limits, Mode},
        domain::{Kind, clock::SystemClock},
    };

    const FIRST: Migration = Migration { name: "0001_a", sql: "CREATE TABLE a (x TEXT);" };
    const SECOND: Migration =
        Migration { name: "0002_b", sql: "CREATE TABLE b (x TEXT); INSERT INTO b VALUES ('new');" };
    const BROKEN: Migration = Migration {
        name: "0002_b",
        sql: "CREATE TABLE c (x TEXT); INSERT INTO nowhere VALUES (1);",
    };
    const OLD: Schema = Schema { application_id: 77, migrations: &[FIRST] };
    const NEW: Schema = Schema { application_id: 77, migrations: &[FIRST, SECOND] };

    fn open(dir: &Path, mode: Mode) -> Database {
        let path = dir.canonicalize().unwrap().join("m.db");
        Database::open(&path, mode, &Limits::default(), Arc::new(SystemClock::new())).unwrap()
    }

    fn installed(schema: Schema, owner: &str) -> (tempfile::TempDir, Database) {
        let temp = tempfile::tempdir().unwrap();
        let mut database = open(temp.path(), Mode::Create);
        schema.bring_up(&mut database, owner, IfEmpty::Install).unwrap();
        (temp, database)
    }

    fn tables(database: &Database) -> i64 {
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).unwrap()
    }

    #[test]
    fn a_file_goes_forward_step_by_step() {
        let (temp, database) = installed(OLD, "me");
        drop(database);
        let mut database = open(temp.path(), Mode::Writer);
        NEW.bring_up(&mut database, "me", IfEmpty::Refuse).unwrap();
        NEW.bring_up(&mut database, "me", IfEmpty::Refuse).unwrap();
        let rows: i64 = database.query_row("SELECT count(*) FROM b", [], |r| r.get(0)).unwrap();
        assert_eq!(rows, 1, "each step runs once");
    }

    #[test]
    fn i3_a_file_with_other_marks_is_refused() {
        let (_temp, mut database) = installed(NEW, "me");
        let before = tables(&database);
        let changed = Migration { name: "0001_a", sql: "CREATE TABLE a (y TEXT);" };
        let other_past =
            Schema { application_id: 77, migrations: Box::leak(Box::new([changed, SECOND])) };
        let wrong: [(Schema, &str, &str); 4] = [
            (Schema { application_id: 78, ..NEW }, "me", "kind"),
            (NEW, "you", "belongs to me"),
            (OLD, "me", "newer"),
            (other_past, "me", "0001_a"),
        ];
        for (schema, owner, word) in wrong {
            let refused = schema.bring_up(&mut database, owner, IfEmpty::Install).unwrap_err();
            assert_eq!(refused.kind(), Kind::Unavailable);
            assert!(refused.to_string().contains(word), "{refused}");
            assert!(!refused.public().contains(word), "the outside reads nothing of it");
        }
        database.execute("DELETE FROM mark", []).unwrap();
        assert!(NEW.bring_up(&mut database, "me", IfEmpty::Install).is_err());
        assert_eq!(tables(&database), before);
    }

    #[test]
    fn an_empty_file_is_filled_only_on_purpose() {
        let temp = tempfile::tempdir().unwrap();
        let mut database = open(temp.path(), Mode::Create);
        assert!(NEW.bring_up(&mut database, "me", IfEmpty::Refuse).is_err());
        assert_eq!(tables(&database), 0);
        NEW.bring_up(&mut database, "me", IfEmpty::Install).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() {
        let (_temp, mut database) = installed(OLD, "me");
        let before = tables(&database);
        let broken = Schema { application_id: 77, migrations: &[FIRST, BROKEN] };
        assert!(broken.bring_up(&mut database, "me", IfEmpty::Refuse).is_err());
        assert_eq!(tables(&database), before);
        NEW.bring_up(&mut database, "me", IfEmpty::Refuse).unwrap();
    }
}
