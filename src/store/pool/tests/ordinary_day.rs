//! Far more tenants than places.

use super::*;

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
