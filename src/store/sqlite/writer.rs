//! The one writer of an open database: changes that wait together share a commit.
//!
//! Callers put their change into a bounded queue; one blocking task drains it, and there is a
//! task only while there is work, so a thousand open tenants hold no thread. A change runs in a
//! savepoint of its own, so one that is refused takes nothing else with it. Nobody hears of a
//! success before the commit is on disk and the files are still where they were (I6). A caller
//! that went away before its change began is skipped; later, its change happens whole.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::{
    Surroundings,
    change::{Change, Desk},
    health::{Health, Lost, Witness},
    known::Known,
    name::Names,
};
use crate::{
    db::sqlite::{Database, fault},
    domain::{Error, Kind, Result, clock::Clock, memory::Memory},
};

/// Changes that may wait for one tenant.
const MAX_WAITING: usize = 1024;
/// Changes that share a commit: enough to hide the disk, few enough to answer soon.
const MAX_BATCH: usize = 64;

/// What became of a change.
type Outcome = Result<Option<Memory>>;

/// A change and whom to tell.
#[derive(Debug)]
struct Job {
    change: Change,
    reply: oneshot::Sender<Outcome>,
}

/// The writer of one open database.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Mutex<Queue>,
    /// Held by the draining task, and by whoever closes.
    press: Mutex<Press>,
    health: Arc<Health>,
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    max_memory_bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// A task is draining, or about to.
    draining: bool,
    closed: bool,
}

#[derive(Debug)]
struct Press {
    /// `None` after a fault or a close.
    database: Option<Database>,
    names: Names,
    witness: Witness,
}

impl Press {
    /// Closes a connection that is not to be used again. What it leaves is looked at by the next
    /// opening; only a log that nobody could find is saved into the database first, because
    /// acknowledged writes are in it.
    fn abandon(&mut self) -> Result<()> {
        let Some(database) = self.database.take() else { return Ok(()) };
        match self.witness.lost() {
            Some(Lost::Log) => database.checkpoint(),
            Some(Lost::Database) | None => database.keep_log_on_close(),
        }
    }
}

impl Writer {
    pub(super) fn new(
        path: &Path,
        database: Database,
        health: Arc<Health>,
        known: Arc<Known>,
        around: &Surroundings,
    ) -> Result<Self> {
        let witness = Witness::of(path)?;
        let press = Press { database: Some(database), names: Names::default(), witness };
        Ok(Self {
            queue: Mutex::default(),
            press: Mutex::new(press),
            health,
            known,
            clock: Arc::clone(&around.clock),
            tracker: around.tracker.clone(),
            max_memory_bytes: around.settings.max_memory_bytes,
        })
    }

    /// Queues a change and waits for its commit.
    pub(super) async fn submit(self: &Arc<Self>, change: Change) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let start = {
            let mut queue = lock(&self.queue);
            if queue.closed {
                return Err(gone());
            }
            if queue.jobs.len() >= MAX_WAITING {
                return Err(Error::new(
                    Kind::Overloaded { retry_after: Duration::from_secs(1) },
                    "too many writes wait for this tenant; retry in 1 s",
                ));
            }
            queue.jobs.push_back(Job { change, reply });
            !std::mem::replace(&mut queue.draining, true)
        };
        if start {
            let writer = Arc::clone(self);
            self.tracker.spawn_blocking(move || writer.drain());
        }
        // The sender is dropped unused only when the draining task itself failed.
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Lets what is queued finish, empties the log into the database and closes the connection.
    /// Blocks.
    pub(super) fn close(&self) -> Result<()> {
        lock(&self.queue).closed = true;
        self.drain();
        let mut press = lock(&self.press);
        if self.health.is_suspect() {
            return press.abandon();
        }
        press.database.take().map_or(Ok(()), |database| database.checkpoint())
    }

    /// Commits batch after batch until nothing waits. Two drains at once take turns.
    fn drain(&self) {
        let _stop = Stop(self);
        loop {
            let mut press = lock(&self.press);
            let batch = {
                let mut queue = lock(&self.queue);
                if queue.jobs.is_empty() {
                    queue.draining = false;
                    return;
                }
                let count = queue.jobs.len().min(MAX_BATCH);
                queue.jobs.drain(..count).collect::<Vec<_>>()
            };
            self.print(&mut press, batch);
        }
    }

    /// One batch, one commit.
    fn print(&self, press: &mut Press, mut batch: Vec<Job>) {
        batch.retain(|job| !job.reply.is_closed());
        if batch.is_empty() {
            return;
        }
        let (replies, changes): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.reply, job.change)).unzip();
        let outcomes = match self.commit(press, changes) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.health.note(&error);
                replies.iter().map(|_| Err(same(&error))).collect()
            }
        };
        if self.health.is_suspect()
            && let Err(error) = press.abandon()
        {
            tracing::warn!(%error, "a suspect database did not close as it should");
        }
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // Nobody listens when the caller has gone; the change is done all the same.
            drop(reply.send(outcome));
        }
    }

    /// INVARIANT I6: an `Ok` for any change leaves only after the commit returned and the files
    /// were seen in their place; held by `tests/durability` and
    /// `i6_a_write_into_a_lost_file_is_not_acknowledged`.
    fn commit(&self, press: &mut Press, changes: Vec<Change>) -> Result<Vec<Outcome>> {
        let Press { database, names, witness } = press;
        let database = database.as_mut().ok_or_else(gone)?;
        let alone = changes.len() == 1;
        let removed = changes.iter().filter(|c| !matches!(c, Change::Put(_))).count() as u64;
        let mut transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let desk = Desk {
                names: &mut *names,
                now: self.clock.now(),
                max_memory_bytes: self.max_memory_bytes,
            };
            let outcome = if alone {
                // Refused alone, the transaction is dropped and with it whatever was begun.
                Ok(change.apply(&transaction, desk)?)
            } else {
                let savepoint = transaction.savepoint()?;
                let outcome = change.apply(&savepoint, desk);
                match &outcome {
                    Ok(_) => savepoint.commit()?,
                    // Either SQLite has rolled everything back already, or it should: a faulty
                    // file takes nobody's write.
                    Err(error) if savepoint.is_autocommit() || fault(error).is_some() => {
                        drop(savepoint);
                        return outcome.map(|_| Vec::new());
                    }
                    Err(_) => savepoint.finish()?,
                }
                outcome
            };
            outcomes.push(outcome);
        }
        transaction.commit()?;
        self.known.note_removed(removed);
        if let Some(lost) = witness.lost() {
            self.health.suspect();
            return Err(Error::unavailable(format!("{lost:?} was taken away while open")));
        }
        Ok(outcomes)
    }
}

#[cfg(test)]
impl Writer {
    /// Keeps the draining task waiting until the guard is dropped.
    pub(super) fn hold(&self) -> impl Drop {
        lock(&self.press)
    }

    /// Changes in the queue.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.queue).jobs.len()
    }
}

/// Leaves no caller waiting when the draining task ends, however it ends.
struct Stop<'a>(&'a Writer);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.health.suspect();
            let mut queue = lock(&self.0.queue);
            queue.draining = false;
            queue.jobs.clear();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Error {
    Error::unavailable("the database was closed")
}

/// The same for everybody in a batch: an error cannot be cloned, its words can.
fn same(error: &Error) -> Error {
    Error::new(error.kind(), error.public().to_owned()).caused_by(error.to_string())
}
