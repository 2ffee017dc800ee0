//! One tenant's memories in one SQLite file: a writer, a few readers, an index of words.
//!
//! This room knows one open file. Which tenants are open, and who may do what, is `store::pool`'s
//! business; where the file lies and whether it may be there is `store::dir`'s.

mod change;
mod choice;
mod health;
mod known;
mod name;
mod occurrences;
mod query;
mod rank;
mod readers;
mod row;
mod within;
mod words;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use self::{change::Change, health::Health, known::Known, readers::Readers, writer::Writer};
use super::TenantStore;
use crate::{
    config::storage::Storage,
    db::{
        migrate::{IfEmpty, Migration, Schema},
        sqlite::{Database, Fault, Limits, Mode, fault},
    },
    domain::{
        Error, Result,
        clock::Clock,
        memory::{Hits, Memory, MemoryId, MemoryPatch, NewMemory, Query, Tag, Usage},
        reach::Reach,
        tenant::TenantId,
    },
};

/// `mgm1`: a tenant's memories.
const APPLICATION_ID: i32 = 0x6d67_6d31;

const SCHEMA: Schema = Schema {
    application_id: APPLICATION_ID,
    migrations: &[
        Migration {
            name: "0001_memories",
            sql: include_str!("sqlite/migrations/0001_memories.sql"),
        },
        Migration { name: "0002_terms", sql: include_str!("sqlite/migrations/0002_terms.sql") },
    ],
};

/// How closely a file is looked at before it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Its marks: it was read through before, in this process.
    Marks,
    /// Its whole structure.
    Structure,
    /// Its structure, and the index against the table; a wrong index is built anew.
    Everything,
}

/// What an open file needs from outside.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) settings: Arc<Storage>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tracker: TaskTracker,
}

impl Surroundings {
    fn limits(&self) -> Limits {
        let default = Limits::default();
        // Room for the largest memory, its index entries and the other columns.
        let largest = self.settings.max_memory_bytes.saturating_mul(2).saturating_add(1 << 16);
        let max_value_bytes =
            i32::try_from(largest).unwrap_or(i32::MAX).max(default.max_value_bytes);
        Limits { max_value_bytes, ..default }
    }
}

/// One tenant's open database.
#[derive(Debug)]
pub(super) struct SqliteStore {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    health: Arc<Health>,
    known: Arc<Known>,
    /// What is out of it is not there.
    reach: Reach,
    /// Of a part: the store that it is of, which is in use as long as the part is.
    _whole: Option<Arc<Self>>,
}

impl SqliteStore {
    /// Makes a database for `tenant` at `path`, where nothing is, and closes it. Blocks.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) fn create(path: &Path, tenant: &TenantId, around: &Surroundings) -> Result<()> {
        let clock = Arc::clone(&around.clock);
        let mut database = Database::open(path, Mode::Create, &around.limits(), clock)?;
        SCHEMA.bring_up(&mut database, tenant.as_str(), IfEmpty::Install)?;
        // After this the file is whole by itself and can be renamed.
        database.checkpoint()
    }

    /// Opens `tenant`'s database. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when it is missing, damaged, not such a file, or another tenant's.
    pub(super) fn open(
        path: &Path,
        tenant: &TenantId,
        check: Check,
        around: &Surroundings,
    ) -> Result<Self> {
        let limits = around.limits();
        let mut database = Database::open(path, Mode::Writer, &limits, Arc::clone(&around.clock))?;
        if let Err(error) = examine(&mut database, tenant, check) {
            // What is wrong with it is looked at by a person: nothing more is written to it.
            database.keep_log_on_close()?;
            return Err(error);
        }
        let health = Arc::new(Health::default());
        let readers = Readers::new(
            path.to_owned(),
            limits,
            Arc::clone(&around.clock),
            Arc::clone(&health),
            around.tracker.clone(),
            &around.settings,
        );
        let known = Arc::new(Known::default());
        let writer = Writer::new(path, database, Arc::clone(&health), Arc::clone(&known), around)?;
        let (writer, readers) = (Arc::new(writer), Arc::new(readers));
        Ok(Self { writer, readers, health, known, reach: Reach::ALL, _whole: None })
    }

    /// What of `whole` is in reach: a store in which nothing else is.
    pub(super) fn part(whole: Arc<Self>, reach: &Reach) -> Arc<Self> {
        if *reach == Reach::ALL {
            return whole;
        }
        Arc::new(Self {
            writer: Arc::clone(&whole.writer),
            readers: Arc::clone(&whole.readers),
            health: Arc::clone(&whole.health),
            known: Arc::clone(&whole.known),
            reach: reach.clone(),
            _whole: Some(whole),
        })
    }

    /// Must it be closed and opened again with a closer look?
    pub(super) fn is_suspect(&self) -> bool {
        self.health.is_suspect()
    }

    /// Finishes the writes that wait, empties the log and closes every connection. Later calls
    /// on the store are refused. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when the log cannot be emptied; nothing is lost by that.
    pub(super) fn close(&self) -> Result<()> {
        self.readers.close();
        self.writer.close()
    }
}

fn examine(database: &mut Database, tenant: &TenantId, check: Check) -> Result<()> {
    if check != Check::Marks {
        database.quick_check()?;
        // It has met every page, and few of them will be asked for again.
        database.release_memory()?;
    }
    SCHEMA.bring_up(database, tenant.as_str(), IfEmpty::Refuse)?;
    if check == Check::Everything {
        match index_equals_table(database) {
            Err(error) if fault(&error) == Some(Fault::Damaged) => {
                tracing::warn!(tenant = %tenant, "the index of words is wrong; building it anew");
                database.execute("INSERT INTO word (word) VALUES ('rebuild')", [])?;
                index_equals_table(database)?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Compares every word of the index with the table.
fn index_equals_table(database: &Database) -> Result<()> {
    database.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)", [])?;
    Ok(())
}

#[async_trait]
impl TenantStore for SqliteStore {
    async fn put(&self, new: NewMemory) -> Result<Memory> {
        let tags = self.reach.stored(new.tags);
        let stored = self.writer.submit(Change::Put(NewMemory { tags, ..new })).await?;
        stored.ok_or_else(|| Error::internal("a put without a memory"))
    }

    async fn get(&self, id: &MemoryId) -> Result<Option<Memory>> {
        let (id, reach) = (id.clone(), self.reach.clone());
        self.readers.run(move |database| change::find(database, &id, &reach)).await
    }

    async fn update(&self, id: &MemoryId, patch: MemoryPatch) -> Result<Option<Memory>> {
        self.writer.submit(Change::Update(id.clone(), patch, self.reach.clone())).await
    }

    async fn delete(&self, id: &MemoryId) -> Result<Option<Memory>> {
        self.writer.submit(Change::Delete(id.clone(), self.reach.clone())).await
    }

    async fn search(&self, query: Query) -> Result<Hits> {
        let (known, reach) = (Arc::clone(&self.known), self.reach.clone());
        self.readers.run(move |database| query::search(database, &known, &query, &reach)).await
    }

    async fn usage(&self) -> Result<Usage> {
        let reach = self.reach.clone();
        self.readers.run(move |database| query::usage(database, &reach)).await
    }

    async fn tags(&self, prefix: &str, limit: usize) -> Result<Vec<Tag>> {
        let (prefix, reach) = (prefix.to_owned(), self.reach.clone());
        self.readers.run(move |database| query::tags(database, &prefix, limit, &reach)).await
    }
}

#[cfg(test)]
mod tests;
