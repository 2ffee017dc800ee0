//! The states of the table, tried one by one.

mod damage;
mod ordinary_day;
mod rights;

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    domain::{
        clock::ManualClock,
        memory::{MemoryPatch, Query},
        random::OsEntropy,
    },
    store::conformance::{note, start},
};

struct World {
    // Before the directory: a database closes before its file goes.
    stores: TenantStores,
    clock: Arc<ManualClock>,
    tracker: TaskTracker,
    data: DataDir,
    _temp: tempfile::TempDir,
}

impl World {
    fn new(open_tenants: usize) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::open(&temp.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::at(start()));
        let tracker = TaskTracker::new();
        let settings = Storage { open_tenants, ..Storage::default() };
        let dyn_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let stores = TenantStores::new(&data, &settings, dyn_clock, tracker.clone());
        Self { stores, clock, tracker, data, _temp: temp }
    }

    fn tenants<const N: usize>() -> [TenantId; N] {
        std::array::from_fn(|_| TenantId::random(&OsEntropy))
    }

    async fn open(&self, tenant: &TenantId) -> Result<Arc<dyn TenantStore>> {
        self.stores.lease(tenant, Action::MemoryWrite, &Reach::ALL).await
    }

    /// Opens, writes one memory, lets go.
    async fn put(&self, tenant: &TenantId, text: &str) -> Result<()> {
        self.open(tenant).await?.put(note("n", text)).await.map(drop)
    }

    async fn count(&self, tenant: &TenantId) -> Result<u64> {
        Ok(self.open(tenant).await?.usage().await?.memories)
    }

    /// Waits for everything that was started.
    async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn is_open(&self, tenant: &TenantId) -> bool {
        matches!(self.stores.shared.table().stay(tenant), Some(State::Open { .. }))
    }

    fn file(&self, tenant: &TenantId) -> PathBuf {
        self.data.paths().tenant_dir(tenant).join("memory.db")
    }

    /// Closes what nobody uses.
    async fn close_idle(&self) {
        self.clock.advance(Storage::default().tenant_idle);
        self.stores.sweep();
        self.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_outlives_the_pool() {
    let world = World::new(4);
    let [a, b] = World::tenants();
    world.put(&a, "mine").await.unwrap();
    world.close_idle().await;
    assert!(!world.is_open(&a));
    assert_eq!(world.count(&a).await.unwrap(), 1);
    assert_eq!(world.count(&b).await.unwrap(), 0, "another tenant has its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_openers_share_one_opening() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    let opened = futures::future::join_all((0..50).map(|_| world.open(&tenant))).await;
    assert!(opened.iter().all(Result::is_ok));
    assert_eq!(world.stores.shared.table().generation(), 1);
    assert_eq!(world.stores.stats(), PoolStats { places: 4, open: 1, in_use: 1, refused: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opener_that_goes_away_disturbs_nobody() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    let mut first = Box::pin(world.open(&tenant));
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    world.put(&tenant, "x").await.unwrap();
    assert_eq!(world.stores.shared.table().generation(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_least_used_makes_room() {
    let world = World::new(2);
    let [a, b, c] = World::tenants();
    for tenant in [&a, &b, &a] {
        world.put(tenant, "x").await.unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    world.put(&c, "x").await.unwrap();
    assert!(world.is_open(&a) && world.is_open(&c) && !world.is_open(&b));
    assert_eq!(world.count(&b).await.unwrap(), 1, "and comes back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_says_so() {
    let world = World::new(2);
    let [a, b, c] = World::tenants();
    let held = (world.open(&a).await.unwrap(), world.open(&b).await.unwrap());
    let refused = world.open(&c).await.unwrap_err();
    assert!(matches!(refused.kind(), Kind::Overloaded { .. }), "{refused}");
    assert!(held.0.usage().await.is_ok(), "who is in is not disturbed");
    drop(held);
    world.put(&c, "x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_idle_are_closed() {
    let world = World::new(4);
    let [a, b] = World::tenants();
    let held = world.open(&a).await.unwrap();
    world.put(&b, "x").await.unwrap();
    world.stores.sweep();
    world.settle().await;
    assert!(world.is_open(&b), "not idle for long enough");
    world.close_idle().await;
    assert!(world.is_open(&a) && !world.is_open(&b));
    held.put(note("n", "still works")).await.unwrap();
    let log = world.file(&b).with_file_name("memory.db-wal");
    assert!(!log.exists(), "its log is emptied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_finishes_what_waits_and_opens_nothing() {
    let world = World::new(4);
    let [a, b, c] = World::tenants();
    let held = world.open(&a).await.unwrap();
    world.put(&b, "x").await.unwrap();
    let mut opening = Box::pin(world.open(&c));
    assert!(futures::poll!(&mut opening).is_pending());
    let write = held.put(note("n", "in the queue"));
    let (stored, ()) = tokio::join!(biased; write, world.stores.close_all());
    stored.unwrap();
    assert_eq!(world.stores.stats().open, 0);
    for tenant in [&a, &b, &c] {
        assert!(!world.file(tenant).with_file_name("memory.db-wal").exists());
        let refused = world.open(tenant).await.unwrap_err();
        assert!(matches!(refused.kind(), Kind::Overloaded { .. }));
    }
    assert_eq!(held.usage().await.unwrap_err().kind(), Kind::Unavailable);
    world.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_add_up() {
    let world = World::new(4);
    assert_eq!(world.stores.sizes().await.unwrap(), DiskUse::default());
    let [a, b] = World::tenants();
    world.put(&a, "x").await.unwrap();
    world.put(&b, "x").await.unwrap();
    world.close_idle().await;
    let used = world.stores.sizes().await.unwrap();
    let files = [&a, &b].map(|t| world.file(t).metadata().unwrap().len());
    assert_eq!(used, DiskUse { tenants: 2, bytes: files.iter().sum() });
}
