//! A few reading connections of one open database, opened when they are first needed.
//!
//! A reader sees what is committed, never waits for the writer and cannot write. Who finds all
//! of them busy waits in line. Every read has the query deadline over it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::health::Health;
use crate::{
    db::sqlite::{Database, Limits, Mode},
    domain::{Error, Result, clock::Clock},
};

/// A reader of a large file keeps one part in so many of it in memory, …
const CACHED_PART: u64 = 32;
/// … up to so much: ranking jumps about in the file, and every page that is met again and was
/// not kept costs as much as the ranking of several memories.
const MOST_CACHED_KIB: i32 = 1024;

/// The readers of one open database.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    limits: Limits,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    tracker: TaskTracker,
    timeout: Duration,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Database>>,
}

impl Readers {
    pub(super) fn new(
        path: PathBuf,
        limits: Limits,
        clock: Arc<dyn Clock>,
        health: Arc<Health>,
        tracker: TaskTracker,
        settings: &crate::config::storage::Storage,
    ) -> Self {
        Self {
            path,
            limits,
            clock,
            health,
            tracker,
            timeout: settings.query_timeout,
            turns: Arc::new(Semaphore::new(settings.readers_per_tenant.max(1))),
            idle: Mutex::default(),
        }
    }

    /// Runs `work` on a reader, in a blocking task, within the query deadline.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(Error::unavailable)?;
        let readers = Arc::clone(self);
        let task = self.tracker.spawn_blocking(move || {
            let answer = readers.read(work);
            drop(turn);
            answer
        });
        task.await.map_err(Error::internal)?
    }

    /// Lets nobody new in and closes what is idle; a read under way closes its own at the end.
    pub(super) fn close(&self) {
        self.turns.close();
        self.idle().clear();
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let waiting = self.idle().pop();
        let database = match waiting {
            Some(database) => database,
            None => self.open().inspect_err(|e| _ = self.health.note(e))?,
        };
        let answer = {
            let _deadline = database.within(self.timeout);
            work(&database)
        };
        let faulty = answer.as_ref().err().is_some_and(|e| self.health.note(e));
        if !faulty && !self.turns.is_closed() {
            self.idle().push(database);
        }
        answer
    }

    fn open(&self) -> Result<Database> {
        let size = self.path.symlink_metadata().map_err(Error::unavailable)?.len();
        let part = i32::try_from(size / CACHED_PART / 1024).unwrap_or(MOST_CACHED_KIB);
        let cache_kib = part.min(MOST_CACHED_KIB).max(self.limits.cache_kib);
        let limits = Limits { cache_kib, ..self.limits };
        Database::open(&self.path, Mode::Reader, &limits, Arc::clone(&self.clock))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Database>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
