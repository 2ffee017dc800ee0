//! Files that are damaged, swapped or taken away stop their own tenant only (I11).

use super::*;
use crate::store::pool::end::{PAUSE, QUARANTINE};

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
