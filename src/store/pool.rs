//! The tenants whose databases are open: a bounded number, the least used closed first.
//!
//! A tenant is in one of these states. All changes of state happen under one lock that is never
//! held while waiting or touching a file.
//!
//! | state | means | leads to |
//! |---|---|---|
//! | *absent* | closed; its files are nobody's | `Opening`, when a permit asks and a place is free |
//! | `Opening` | one task opens it, everybody else waits for that one | `Open`, or `Refused` |
//! | `Open` | leases are given out | `Closing`: idle too long, place needed, suspect, or drain |
//! | `Closing` | one task empties the log and closes; nobody gets in | *absent*; `Opening` with a closer look after a fault |
//! | `Refused` | opening failed a moment ago; says so without touching the disk | *absent*, after a while |
//!
//! `Opening`, `Open` and `Closing` each hold a place, because each holds files. Every stay in the
//! table has a generation number: a task that ends changes only the stay it was started for, so
//! a task that ends late, or by a panic, cannot disturb what came after it.

mod closing;
mod end;
mod numbers;
mod opening;
mod order;
mod table;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::numbers::{DiskUse, PoolStats};
use self::table::{State, Table};
use super::{
    TenantStore, capacity,
    lease::{Lease, Rights},
    sqlite::{SqliteStore, Surroundings},
};
use crate::{
    config::storage::Storage,
    db::{data_dir::DataDir, paths::Paths},
    domain::{Error, Kind, Result, action::Action, clock::Clock, reach::Reach, tenant::TenantId},
    policy::Permit,
};

/// Opens stores and keeps a bounded number of them open.
#[derive(Debug, Clone)]
pub struct TenantStores {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    paths: Paths,
    around: Surroundings,
    places: usize,
    table: Mutex<Table>,
}

/// What a look at the table says.
enum Look {
    Ready(Arc<SqliteStore>),
    Wait(CancellationToken),
}

impl TenantStores {
    /// A pool over `data`, with nothing open. Raises the process's soft limit of open files.
    #[must_use]
    pub fn new(
        data: &DataDir,
        settings: &Storage,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Self {
        let shared = Shared {
            paths: data.paths().clone(),
            around: Surroundings { settings: Arc::new(settings.clone()), clock, tracker },
            places: capacity::places(settings),
            table: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Opens the permit's tenant. The store does what the permit's action is about and refuses
    /// everything else with `Forbidden`; for an action that has nothing to do with memories no
    /// file is opened. SECURITY: what the permit's reach leaves out is not there for whoever holds
    /// the store, and nobody can hold another (`i4_what_is_out_of_reach_is_not_there`).
    ///
    /// # Errors
    /// `Unavailable` when the database is missing its marks, damaged, a link, or another
    /// tenant's; `Overloaded` when every place is in use; `Forbidden` when the permit is for no
    /// tenant.
    pub async fn open(&self, permit: Permit) -> Result<Arc<dyn TenantStore>> {
        let Some(tenant) = permit.tenant() else {
            return Err(Error::forbidden("this permission is for no tenant's memory"));
        };
        self.lease(tenant, permit.action(), permit.reach()).await
    }

    /// INVARIANT I2: private, because other rooms have to bring a [`Permit`]; held by the
    /// compiler.
    async fn lease(
        &self,
        tenant: &TenantId,
        action: Action,
        reach: &Reach,
    ) -> Result<Arc<dyn TenantStore>> {
        let rights = Rights::of(action);
        if rights == Rights::NONE {
            return Ok(Arc::new(Lease::on_nothing()));
        }
        loop {
            match self.shared.look(tenant)? {
                Look::Ready(store) => {
                    return Ok(Arc::new(Lease::on(SqliteStore::part(store, reach), rights)));
                }
                Look::Wait(done) => done.cancelled().await,
            }
        }
    }

    /// Closes what was idle for `storage.tenant_idle`, a few at a time. Called by the app once a
    /// second.
    pub fn sweep(&self) {
        self.shared.close_idle();
    }

    /// Opens nothing any more, lets queued writes finish, empties every log and closes every
    /// database. For the drain, after the last request.
    pub async fn close_all(&self) {
        loop {
            let waiting = self.shared.close_everybody();
            // What was opening is open now, and closes in the next round.
            if waiting.is_empty() {
                return;
            }
            for done in waiting {
                done.cancelled().await;
            }
        }
    }

    /// What is open now.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.table().stats(self.shared.places)
    }

    /// What lies on disk: one walk over the tenants' directories.
    ///
    /// # Errors
    /// `Unavailable` when the directory cannot be read.
    pub async fn sizes(&self) -> Result<DiskUse> {
        let root = self.shared.paths.tenants_dir();
        let task = self.shared.around.tracker.spawn_blocking(move || DiskUse::below(&root));
        task.await.map_err(Error::internal)?.map_err(Error::unavailable)
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.around.clock.monotonic()
    }

    /// One look at the table: the store, or something to wait for, or why not.
    fn look(self: &Arc<Self>, tenant: &TenantId) -> Result<Look> {
        let now = self.now();
        let mut table = self.table();
        if table.draining {
            return Err(overloaded("the server is stopping; retry in 1 s"));
        }
        match table.stay(tenant) {
            Some(State::Open { store, last_used }) if !store.is_suspect() => {
                *last_used = now;
                return Ok(Look::Ready(Arc::clone(store)));
            }
            Some(State::Opening { done } | State::Closing { done }) => {
                return Ok(Look::Wait(done.clone()));
            }
            Some(State::Refused { until, why }) if *until > now => {
                return Err(Error::unavailable(why.to_string()));
            }
            Some(State::Open { .. }) => {
                // Leases on a suspect store are of no use to their holders any more.
                return self
                    .start_closing(&mut table, tenant)
                    .map(Look::Wait)
                    .ok_or_else(|| Error::internal("an open store that cannot be closed"));
            }
            Some(State::Refused { .. }) | None => {}
        }
        if table.held() >= self.places {
            return self.make_room(&mut table).map(Look::Wait);
        }
        Ok(Look::Wait(self.start_opening(&mut table, tenant)))
    }
}

fn overloaded(sentence: &'static str) -> Error {
    Error::new(Kind::Overloaded { retry_after: Duration::from_secs(1) }, sentence)
}

#[cfg(test)]
mod tests;
