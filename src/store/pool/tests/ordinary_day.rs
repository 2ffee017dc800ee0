//! Far more tenants than places.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

use futures::{StreamExt as _, stream};

use super::*;
use crate::domain::clock::SystemClock;

/// What one open tenant may take of memory, with its writer and a reader, in KiB.
const MOST_KIB_EACH: u64 = 384;
/// Tenants that are at work at the same time.
const AT_ONCE: usize = 8;
/// One tenant in so many writes; the others only look something up.
const WRITING: usize = 4;

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

/// Tenants as many, each with one memory: copies of one database with its owner's name changed.
/// Only the first `whole` are ever opened; the others are there for the disk to be full of.
async fn on_disk(world: &World, many: usize, whole: usize) -> Vec<TenantId> {
    let [first] = World::tenants();
    world.put(&first, "the first memory of this tenant").await.unwrap();
    world.close_idle().await;
    let template = fs::read(world.file(&first)).unwrap();
    let name = first.as_str().as_bytes();
    let names: Vec<usize> =
        (0..template.len() - name.len()).filter(|at| template[*at..].starts_with(name)).collect();
    assert!(!names.is_empty(), "the database does not say whose it is");
    let tenants: Vec<_> = (0..many).map(|_| TenantId::random(&OsEntropy)).collect();
    for (i, tenant) in tenants.iter().enumerate() {
        let file = |path: PathBuf| {
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap()
        };
        fs::DirBuilder::new().mode(0o700).create(world.data.paths().tenant_dir(tenant)).unwrap();
        let database = file(world.file(tenant));
        if i < whole {
            let mut copy = template.clone();
            for at in &names {
                copy[*at..*at + name.len()].copy_from_slice(tenant.as_str().as_bytes());
            }
            std::io::Write::write_all(&mut &database, &copy).unwrap();
        } else {
            database.set_len(template.len() as u64).unwrap();
        }
        drop(file(world.data.paths().tenant_mark(tenant)));
    }
    tenants
}

/// CPU time of this process.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// `in_use` of the tenants work one after the other, a few of them at once, in `places` places.
async fn an_ordinary_day(many: usize, in_use: usize, places: usize, rounds: u64) {
    let world = World::new(places);
    let timer = SystemClock::new();
    let tenants = on_disk(&world, many, in_use).await;
    let made_in = timer.monotonic();
    let (memory, worked) = (resident_kib(), cpu());
    let mut openings = Vec::new();
    let mut most_files = 0;
    for round in 0..rounds {
        let uses =
            stream::iter(tenants.iter().take(in_use).enumerate()).map(async |(i, tenant)| {
                let begun = timer.monotonic();
                let store = world.open(tenant).await.unwrap();
                let opened_in = timer.monotonic().saturating_sub(begun);
                let writes = i % WRITING == 0;
                if writes {
                    store.put(note("n", "one more memory")).await.unwrap();
                }
                let query = Query { text: Some("memory".to_owned()), ..Query::newest(10) };
                let found = store.search(query).await.unwrap().hits.len() as u64;
                assert_eq!(found, if writes { round + 2 } else { 1 });
                world.clock.advance(Duration::from_millis(1));
                opened_in
            });
        let mut uses = std::pin::pin!(uses.buffer_unordered(AT_ONCE));
        while let Some(opened_in) = uses.next().await {
            openings.push(opened_in);
            if openings.len() % 50 == 0 {
                most_files = most_files.max(files_open(&world));
            }
        }
    }
    let stats = world.stores.stats();
    let each = resident_kib().saturating_sub(memory) / stats.open as u64;
    let worked = cpu().saturating_sub(worked) / u32::try_from(openings.len()).unwrap();
    openings.sort();
    println!(
        "{many} tenants made in {made_in:?}, {in_use} in use, {} places: {most_files} files, \
         {each} KiB for an open one; a use took {worked:?} of CPU, an opening {:?} (median) and \
         {:?} (the slowest of 100)",
        stats.places,
        openings[openings.len() / 2],
        openings[openings.len() * 99 / 100],
    );
    assert!(stats.open <= stats.places && stats.in_use == 0, "{stats:?}");
    let files_each = 3 + 2 * Storage::default().readers_per_tenant;
    assert!(most_files <= stats.places * files_each + 1, "{most_files} files, {stats:?}");
    assert_eq!(world.stores.sizes().await.unwrap().tenants, many as u64 + 1);
    // Only a test that is alone in its process can tell whose memory it is, and a few tenants do
    // not show it.
    if std::env::var_os("NEXTEST").is_some() && stats.open > 100 {
        assert!(each < MOST_KIB_EACH, "{each} KiB");
    }
    world.stores.close_all().await;
    assert!(files_open(&world) <= 1, "only the lock is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_tenants_than_places_is_an_ordinary_day() {
    an_ordinary_day(60, 30, 8, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tenants_are_an_ordinary_day() {
    an_ordinary_day(10_000, 1_000, 256, 1).await;
}
