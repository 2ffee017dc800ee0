//! The states of the table, tried one by one, and faults that must stay with their tenant.

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    auth::Principal,
    domain::{
        action::Resource,
        clock::ManualClock,
        memory::{MemoryPatch, Query},
        random::OsEntropy,
    },
    policy::Engine,
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
        self.stores.lease(tenant, Action::MemoryWrite).await
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
        let table = self.stores.shared.table();
        matches!(table.stays.get(tenant).map(|s| &s.state), Some(State::Open { .. }))
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

type Test = &'static str;

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
    assert_eq!(world.stores.shared.table().generation, 1);
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
    assert_eq!(world.stores.shared.table().generation, 1);
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
async fn i3_a_permit_gives_its_own_rights_only() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    let id = world.open(&tenant).await.unwrap().put(note("n", "x")).await.unwrap().id;
    // (action, reads, counts, writes, deletes)
    let expected = [
        (Action::MemoryRead, true, true, false, false),
        (Action::ProfileRead, true, true, false, false),
        (Action::UsageRead, false, true, false, false),
        (Action::DemoUse, false, true, false, false),
        (Action::MemoryWrite, true, true, true, false),
        (Action::MemoryDelete, true, true, false, true),
    ];
    for &action in Action::ALL {
        let found = expected.iter().find(|row| row.0 == action);
        let (_, reads, counts, writes, deletes) =
            *found.unwrap_or(&(action, false, false, false, false));
        let store = world.stores.lease(&tenant, action).await.unwrap();
        let check = |what: Test, allowed: bool, done: Result<()>| match done {
            Ok(()) => assert!(allowed, "{action} must not {what}"),
            Err(e) => assert!(!allowed && e.kind() == Kind::Forbidden, "{action}: {what}: {e}"),
        };
        check("get", reads, store.get(&id).await.map(drop));
        check("search", reads, store.search(Query::newest(1)).await.map(drop));
        check("tags", reads, store.tags("", 1).await.map(drop));
        check("usage", counts, store.usage().await.map(drop));
        check("put", writes, store.put(note("n", "x")).await.map(drop));
        check("update", writes, store.update(&id, MemoryPatch::default()).await.map(drop));
        // Nothing is deleted that a later action looks for.
        let unknown = crate::domain::memory::MemoryId::parse("unknown").unwrap();
        check("delete", deletes, store.delete(&unknown).await.map(drop));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_an_action_without_rights_opens_no_file() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    world.stores.lease(&tenant, Action::Connect).await.unwrap();
    assert_eq!(world.stores.stats().open, 0);
    assert!(!world.data.paths().tenant_dir(&tenant).exists());
}

/// The way that callers go: a credential, a decision, a permit, a store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_real_permit_opens_its_own_tenant_for_its_own_action() {
    let people = crate::auth::testing::World::new();
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&people.clock);
    let tenants = Arc::clone(&people.registry.tenants);
    let engine = Engine::new(&people.settings.policy, tenants, Arc::clone(&clock)).unwrap();
    let storage = &people.settings.storage;
    let stores = TenantStores::new(&people.data_dir, storage, clock, TaskTracker::new());
    let (acme, globex) = (people.agent("acme").await, people.agent("globex").await);
    let permit = |who: &Principal, action| {
        let resource = Resource::Tenant(who.tenant().unwrap().id.clone());
        engine.authorize(who, action, resource).unwrap()
    };

    let writer = stores.open(permit(&acme, Action::MemoryWrite)).await.unwrap();
    let id = writer.put(note("n", "of acme")).await.unwrap().id;
    let reader = stores.open(permit(&acme, Action::MemoryRead)).await.unwrap();
    assert!(reader.get(&id).await.unwrap().is_some());
    assert_eq!(reader.put(note("n", "x")).await.unwrap_err().kind(), Kind::Forbidden);
    assert_eq!(reader.delete(&id).await.unwrap_err().kind(), Kind::Forbidden);
    let other = stores.open(permit(&globex, Action::MemoryRead)).await.unwrap();
    assert!(other.get(&id).await.unwrap().is_none());

    let operator = people.operator().await;
    let permit = engine.authorize(&operator, Action::StatsRead, Resource::Deployment).unwrap();
    assert_eq!(stores.open(permit).await.unwrap_err().kind(), Kind::Forbidden);
}

/// What happens to B's files; `B` is closed or open while it does.
struct Attack {
    name: &'static str,
    while_open: bool,
    strike: fn(&World, &TenantId, &TenantId),
    /// Whether B may still answer: with all it had, never with less.
    may_answer: bool,
}

const ATTACKS: &[Attack] = &[
    Attack {
        name: "storage-010: emptied while open",
        while_open: true,
        strike: |world, b, _| fs::write(world.file(b), "").unwrap(),
        may_answer: false,
    },
    Attack {
        name: "emptied while closed",
        while_open: false,
        strike: |world, b, _| fs::write(world.file(b), "").unwrap(),
        may_answer: false,
    },
    Attack {
        name: "storage-011: every page overwritten while open",
        while_open: true,
        strike: |world, b, _| scribble(&world.file(b), 0),
        may_answer: false,
    },
    Attack {
        name: "storage-011: every page overwritten while closed",
        while_open: false,
        strike: |world, b, _| scribble(&world.file(b), 0),
        may_answer: false,
    },
    Attack {
        name: "storage-011: all pages but the first overwritten while closed",
        while_open: false,
        strike: |world, b, _| scribble(&world.file(b), 4096),
        may_answer: false,
    },
    Attack {
        name: "storage-012: log unlinked while open",
        while_open: true,
        strike: |world, b, _| {
            fs::remove_file(world.file(b).with_file_name("memory.db-wal")).unwrap();
        },
        may_answer: true,
    },
    Attack {
        name: "unlinked while open",
        while_open: true,
        strike: |world, b, _| fs::remove_file(world.file(b)).unwrap(),
        may_answer: false,
    },
    Attack {
        name: "unlinked while closed",
        while_open: false,
        strike: |world, b, _| fs::remove_file(world.file(b)).unwrap(),
        may_answer: false,
    },
    Attack {
        name: "directory removed",
        while_open: false,
        strike: |world, b, _| {
            fs::remove_dir_all(world.data.paths().tenant_dir(b)).unwrap();
        },
        may_answer: false,
    },
    Attack {
        name: "A's file copied over it",
        while_open: false,
        strike: |world, b, a| _ = fs::copy(world.file(a), world.file(b)).unwrap(),
        may_answer: false,
    },
    Attack {
        name: "a symbolic link to A's file",
        while_open: false,
        strike: |world, b, a| {
            fs::remove_file(world.file(b)).unwrap();
            std::os::unix::fs::symlink(world.file(a), world.file(b)).unwrap();
        },
        may_answer: false,
    },
    Attack {
        name: "a hard link to A's file",
        while_open: false,
        strike: |world, b, a| {
            // A is open all the while: its second name is looked at when A opens again.
            fs::remove_file(world.file(b)).unwrap();
            fs::hard_link(world.file(a), world.file(b)).unwrap();
        },
        may_answer: false,
    },
    Attack {
        name: "the directory is a symbolic link to A's",
        while_open: false,
        strike: |world, b, a| {
            let paths = world.data.paths();
            fs::remove_dir_all(paths.tenant_dir(b)).unwrap();
            std::os::unix::fs::symlink(paths.tenant_dir(a), paths.tenant_dir(b)).unwrap();
        },
        may_answer: false,
    },
];

/// Overwrites everything from `from` on with bytes that are no database.
fn scribble(path: &std::path::Path, from: usize) {
    use std::os::unix::fs::FileExt as _;
    let length = usize::try_from(path.metadata().unwrap().len()).unwrap();
    assert!(length > from);
    let noise: Vec<u8> =
        (0..length - from).map(|i| (i * 7 + i / 251).to_le_bytes()[0] | 1).collect();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&noise, from as u64).unwrap();
}

/// INVARIANT I11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_a_damaged_database_stops_its_tenant_only() {
    for attack in ATTACKS {
        let world = World::new(8);
        let [a, b] = World::tenants();
        for text in ["one", "two"] {
            world.put(&a, text).await.unwrap();
            world.put(&b, text).await.unwrap();
        }
        let alive = world.open(&a).await.unwrap();
        world.close_idle().await;
        let healthy = fs::read(world.file(&b)).unwrap();
        if attack.while_open {
            world.put(&b, "three").await.unwrap();
        }
        let had = if attack.while_open { 3 } else { 2 };
        (attack.strike)(&world, &b, &a);

        for round in 0..4 {
            // A write first: what is lost may not be noticed by reading what is in memory.
            let written = world.put(&b, "more").await;
            let counted = world.count(&b).await;
            assert_eq!(alive.usage().await.unwrap().memories, 2 + round, "{}", attack.name);
            alive.put(note("n", "x")).await.unwrap();
            for error in [written.err(), counted.as_ref().err().map(clone)].into_iter().flatten() {
                assert_eq!(error.kind(), Kind::Unavailable, "{}: {error}", attack.name);
                assert_eq!(error.public(), "temporarily unavailable", "{}", attack.name);
            }
            match counted {
                Ok(count) => {
                    assert!(attack.may_answer, "{}: answered {count}", attack.name);
                    assert!(count >= had, "{}: {count} of {had}", attack.name);
                }
                Err(_) => world.clock.advance(PAUSE),
            }
        }
        if attack.may_answer {
            assert!(world.count(&b).await.unwrap() >= had, "{}", attack.name);
            continue;
        }
        // What lay there was not replaced; what is restored works again after a while.
        world.settle().await;
        let dir = world.data.paths().tenant_dir(&b);
        if dir.is_symlink() {
            fs::remove_file(&dir).unwrap();
        } else if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        crate::db::data_dir::private_dir(&dir).unwrap();
        fs::write(world.file(&b), &healthy).unwrap();
        world.clock.advance(QUARANTINE);
        assert_eq!(world.count(&b).await.unwrap(), 2, "{}", attack.name);
    }
}

fn clone(error: &Error) -> Error {
    Error::new(error.kind(), error.public().to_owned()).caused_by(error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_tenant_is_left_alone_for_a_while() {
    let world = World::new(4);
    let [tenant] = World::tenants();
    world.put(&tenant, "x").await.unwrap();
    world.close_idle().await;
    let aside = world.file(&tenant).with_extension("aside");
    fs::rename(world.file(&tenant), &aside).unwrap();
    assert!(world.open(&tenant).await.is_err());
    assert_eq!(world.stores.stats().refused, 1);
    fs::rename(&aside, world.file(&tenant)).unwrap();
    assert!(world.open(&tenant).await.is_err(), "the disk is not asked again at once");
    world.clock.advance(QUARANTINE);
    assert_eq!(world.count(&tenant).await.unwrap(), 1);
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

/// Files of this process below the world's directory.
fn files_open(world: &World) -> usize {
    let root = world.data.paths().root();
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.starts_with(root))
        .count()
}

/// Resident memory of this process, in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// `on_disk` tenants, `in_use` of them working in turn, `places` open at once.
async fn an_ordinary_day(on_disk: usize, in_use: usize, places: usize) {
    let world = World::new(places);
    let before = resident_kib();
    let tenants: Vec<TenantId> = (0..on_disk).map(|_| TenantId::random(&OsEntropy)).collect();
    let mut most_files = 0;
    for tenant in &tenants {
        world.put(tenant, "the first memory of this tenant").await.unwrap();
        world.clock.advance(Duration::from_millis(1));
    }
    for round in 0..3_u64 {
        for (i, tenant) in tenants.iter().take(in_use).enumerate() {
            let store = world.open(tenant).await.unwrap();
            store.put(note("n", "one more word")).await.unwrap();
            let query = Query { text: Some("word".to_owned()), ..Query::newest(10) };
            let hits = store.search(query).await.unwrap().hits;
            assert_eq!(hits.len() as u64, (round + 1).min(10));
            world.clock.advance(Duration::from_millis(1));
            if i % 50 == 0 {
                most_files = most_files.max(files_open(&world));
            }
        }
    }
    let stats = world.stores.stats();
    assert!(stats.open <= stats.places && stats.places <= places, "{stats:?}");
    let each = 3 + 2 * Storage::default().readers_per_tenant;
    assert!(most_files <= stats.places * each + 1, "{most_files} files, {stats:?}");
    println!(
        "{on_disk} tenants on disk, {in_use} in use, {} places: {most_files} files, {} KiB more",
        stats.places,
        resident_kib().saturating_sub(before)
    );
    world.stores.close_all().await;
    assert!(files_open(&world) <= 1, "only the lock is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_tenants_than_places_is_an_ordinary_day() {
    an_ordinary_day(60, 30, 8).await;
}

/// Run by `./tests/run durability`, alone in its process, so that its memory is its own.
#[ignore = "takes minutes; run by `./tests/run durability`"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tenants_are_an_ordinary_day() {
    let before = resident_kib();
    an_ordinary_day(10_000, 1_000, 512).await;
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 400 * 1024, "{grown} KiB more for 512 places");
}
