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

mod numbers;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::numbers::{DiskUse, PoolStats};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    TenantStore, capacity,
    dir::TenantDir,
    lease::{Lease, Rights},
    sqlite::{Check, SqliteStore, Surroundings},
};
use crate::{
    config::storage::Storage,
    db::{
        data_dir::DataDir,
        paths::Paths,
        sqlite::{Fault, fault},
    },
    domain::{Error, Kind, Result, action::Action, clock::Clock, tenant::TenantId},
    policy::Permit,
};

/// How long a damaged or missing database is refused before it is looked at again, so that a
/// restored one comes back without a restart.
const QUARANTINE: Duration = Duration::from_secs(30);
/// The same after any other failure, which may be gone in a moment.
const PAUSE: Duration = Duration::from_secs(1);
/// Closings that one sweep starts.
const CLOSED_PER_SWEEP: usize = 32;
/// Databases up to this size are read through when a process opens them first. Larger ones
/// would keep their tenant waiting; damage in them is found when a query meets it.
const MAX_CHECKED_BYTES: u64 = 4 << 20;

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

#[derive(Debug, Default)]
struct Table {
    stays: HashMap<TenantId, Stay>,
    /// How closely a tenant's file is looked at next time; at first, its structure.
    checks: HashMap<TenantId, Check>,
    generation: u64,
    draining: bool,
}

/// One tenant's stay in the table.
#[derive(Debug)]
struct Stay {
    generation: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Opening { done: CancellationToken },
    Open { store: Arc<SqliteStore>, last_used: Duration },
    Closing { done: CancellationToken },
    Refused { until: Duration, why: Arc<str> },
}

impl State {
    fn holds_a_place(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
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
    /// file is opened.
    ///
    /// # Errors
    /// `Unavailable` when the database is missing its marks, damaged, a link, or another
    /// tenant's; `Overloaded` when every place is in use; `Forbidden` when the permit is for no
    /// tenant.
    pub async fn open(&self, permit: Permit) -> Result<Arc<dyn TenantStore>> {
        let Some(tenant) = permit.tenant() else {
            return Err(Error::forbidden("this permission is for no tenant's memory"));
        };
        self.lease(tenant, permit.action()).await
    }

    /// INVARIANT I2: private, because other rooms have to bring a [`Permit`]; held by the
    /// compiler.
    async fn lease(&self, tenant: &TenantId, action: Action) -> Result<Arc<dyn TenantStore>> {
        let rights = Rights::of(action);
        if rights == Rights::NONE {
            return Ok(Arc::new(Lease::on_nothing()));
        }
        loop {
            match self.shared.look(tenant)? {
                Look::Ready(store) => return Ok(Arc::new(Lease::on(store, rights))),
                Look::Wait(done) => done.cancelled().await,
            }
        }
    }

    /// Closes what was idle for `storage.tenant_idle`, a few at a time. Called by the app once a
    /// second.
    pub fn sweep(&self) {
        let now = self.shared.now();
        let idle = self.shared.around.settings.tenant_idle;
        let mut table = self.shared.table();
        table.stays.retain(|_, stay| match &stay.state {
            State::Refused { until, .. } => *until > now,
            _ => true,
        });
        let due: Vec<TenantId> = table
            .stays
            .iter()
            .filter(|(_, stay)| match &stay.state {
                State::Open { store, last_used } => {
                    Arc::strong_count(store) == 1 && last_used.saturating_add(idle) <= now
                }
                _ => false,
            })
            .take(CLOSED_PER_SWEEP)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            drop(self.shared.start_closing(&mut table, &id));
        }
    }

    /// Opens nothing any more, lets queued writes finish, empties every log and closes every
    /// database. For the drain, after the last request.
    pub async fn close_all(&self) {
        loop {
            let waiting: Vec<CancellationToken> = {
                let mut table = self.shared.table();
                table.draining = true;
                let ids: Vec<TenantId> = table.stays.keys().cloned().collect();
                ids.iter().filter_map(|id| self.shared.start_closing(&mut table, id)).collect()
            };
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
        let table = self.shared.table();
        let mut stats = PoolStats { places: self.shared.places, ..PoolStats::default() };
        for stay in table.stays.values() {
            match &stay.state {
                State::Refused { .. } => stats.refused += 1,
                State::Open { store, .. } if Arc::strong_count(store) > 1 => {
                    stats.open += 1;
                    stats.in_use += 1;
                }
                _ => stats.open += 1,
            }
        }
        stats
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
        match table.stays.get_mut(tenant).map(|stay| &mut stay.state) {
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
        if table.stays.values().filter(|stay| stay.state.holds_a_place()).count() >= self.places {
            return self.make_room(&mut table).map(Look::Wait);
        }
        Ok(Look::Wait(self.start_opening(&mut table, tenant)))
    }

    /// Starts closing the tenant that was idle longest, or finds one that is closing already.
    fn make_room(self: &Arc<Self>, table: &mut Table) -> Result<CancellationToken> {
        let mut idle: Option<(&TenantId, Duration)> = None;
        for (id, stay) in &table.stays {
            match &stay.state {
                State::Closing { done } => return Ok(done.clone()),
                State::Open { store, last_used }
                    if Arc::strong_count(store) == 1
                        && idle.is_none_or(|(_, least)| *last_used < least) =>
                {
                    idle = Some((id, *last_used));
                }
                _ => {}
            }
        }
        let id = idle.map(|(id, _)| id.clone());
        id.and_then(|id| self.start_closing(table, &id))
            .ok_or_else(|| overloaded("too many tenants are in use; retry in 1 s"))
    }

    fn start_opening(self: &Arc<Self>, table: &mut Table, tenant: &TenantId) -> CancellationToken {
        let check = table.checks.get(tenant).copied().unwrap_or(Check::Structure);
        let done = CancellationToken::new();
        let end = self.enter(table, tenant, State::Opening { done: done.clone() }, &done);
        self.around.tracker.spawn_blocking(move || {
            let opened = end.shared.open_files(&end.tenant, check);
            end.opened(opened);
        });
        done
    }

    /// Starts closing an open tenant, or finds that it is closing; `None` when it is neither.
    fn start_closing(
        self: &Arc<Self>,
        table: &mut Table,
        tenant: &TenantId,
    ) -> Option<CancellationToken> {
        let store = match &table.stays.get(tenant)?.state {
            State::Open { store, .. } => Arc::clone(store),
            State::Closing { done } | State::Opening { done } => return Some(done.clone()),
            State::Refused { .. } => return None,
        };
        if store.is_suspect() {
            table.checks.insert(tenant.clone(), Check::Everything);
        }
        let done = CancellationToken::new();
        let end = self.enter(table, tenant, State::Closing { done: done.clone() }, &done);
        self.around.tracker.spawn_blocking(move || {
            if let Err(error) = store.close() {
                tracing::warn!(tenant = %end.tenant, %error, "a database did not close cleanly");
            }
            end.closed();
        });
        Some(done)
    }

    /// Puts a new stay into the table, and gives the task that will end it the means to.
    fn enter(
        self: &Arc<Self>,
        table: &mut Table,
        tenant: &TenantId,
        state: State,
        done: &CancellationToken,
    ) -> End {
        table.generation += 1;
        let generation = table.generation;
        table.stays.insert(tenant.clone(), Stay { generation, state });
        let (shared, tenant, done) = (Arc::clone(self), tenant.clone(), done.clone());
        End { shared, tenant, generation, done }
    }

    fn open_files(&self, tenant: &TenantId, check: Check) -> Result<SqliteStore> {
        let dir = TenantDir::of(&self.paths, tenant);
        dir.settle(|path| SqliteStore::create(path, tenant, &self.around))?;
        let path = dir.database();
        let size = path.symlink_metadata().map_err(Error::unavailable)?.len();
        let check = match check {
            Check::Structure if size > MAX_CHECKED_BYTES => Check::Marks,
            check => check,
        };
        SqliteStore::open(&path, tenant, check, &self.around)
    }
}

/// The right to end one stay. Dropped unused, by a panic, it refuses the tenant for a moment, so
/// that nobody waits for ever.
struct End {
    shared: Arc<Shared>,
    tenant: TenantId,
    generation: u64,
    done: CancellationToken,
}

impl End {
    fn opened(self, opened: Result<SqliteStore>) {
        let now = self.shared.now();
        let state = match opened {
            Ok(store) => State::Open { store: Arc::new(store), last_used: now },
            Err(error) => {
                // INVARIANT I11: the fault stays with this tenant; held by
                // `i11_a_damaged_database_stops_its_tenant_only`.
                tracing::error!(tenant = %self.tenant, %error, "a tenant's database is refused");
                let passing = fault(&error) == Some(Fault::Io) || error.kind() != Kind::Unavailable;
                let pause = if passing { PAUSE } else { QUARANTINE };
                State::Refused { until: now.saturating_add(pause), why: error.to_string().into() }
            }
        };
        self.replace(Some(state));
    }

    fn closed(self) {
        self.replace(None);
    }

    fn replace(&self, state: Option<State>) {
        let mut table = self.shared.table();
        let ours = table.stays.get(&self.tenant).is_some_and(|s| s.generation == self.generation);
        if ours {
            match state {
                Some(state) => {
                    if matches!(state, State::Open { .. }) {
                        table.checks.insert(self.tenant.clone(), Check::Marks);
                    }
                    let stay = Stay { generation: self.generation, state };
                    table.stays.insert(self.tenant.clone(), stay);
                }
                None => drop(table.stays.remove(&self.tenant)),
            }
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let until = self.shared.now().saturating_add(PAUSE);
            self.replace(Some(State::Refused { until, why: "its task failed".into() }));
        }
        self.done.cancel();
    }
}

fn overloaded(sentence: &'static str) -> Error {
    Error::new(Kind::Overloaded { retry_after: Duration::from_secs(1) }, sentence)
}

#[cfg(test)]
mod tests;
