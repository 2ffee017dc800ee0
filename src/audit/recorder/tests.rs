//! Order, waiting, failing disks, the end.

use std::{fs, sync::Arc, thread};

use tokio_util::task::TaskTracker;

use super::*;
use crate::audit::{
    Event, Outcome,
    read::{Filter, Reader},
    testing::Scene,
};

fn record(what: &str) -> Record<'_> {
    Record::new(Event::Call, what, Outcome::Allowed)
}

fn written(scene: &Scene) -> Vec<String> {
    let mut found = Vec::new();
    Reader::new(scene.directory(), Filter::default())
        .read(&mut |shown| {
            found.push(shown.members["what"].as_str().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
    found
}

#[tokio::test]
async fn i10_a_record_that_somebody_waits_for_is_there_when_he_goes_on() {
    let scene = Scene::new();
    let recorder = Recorder::start(scene.open(), scene.clock.clone()).unwrap();
    recorder.record(&record("a"));
    recorder.record_durably(&record("b")).written().await.unwrap();
    assert_eq!(written(&scene), ["a", "b"]);
    recorder.close().await;
    assert!(scene.verify().sound);
    assert!(recorder.admit(Access::Read).is_err(), "nobody writes any more");
    assert!(recorder.record_durably(&record("c")).written().await.is_err());
    assert_eq!(recorder.status().lost, 1);
}

/// A disk that is full for a long time: signatures fail as well, and that changes nothing.
#[tokio::test]
async fn i10_a_disk_that_is_full_stays_so() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 1;
    let recorder = Recorder::start(scene.open(), scene.clock.clone()).unwrap();
    recorder.record_durably(&record("before")).written().await.unwrap();
    // All that is written is signed, so that there is nothing left that a signature could fail at.
    scene.clock.advance(Duration::from_mins(2));
    recorder.record_durably(&record("more")).written().await.unwrap();
    while recorder.status().head.seq > recorder.status().signed.seq + 1 {
        tokio::task::yield_now().await;
    }
    let (there, aside) = (scene.directory(), scene.temp.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    assert!(recorder.record_durably(&record("during")).written().await.is_err());
    for _ in 0..4 {
        // The interval of signatures passes, again and again.
        scene.clock.advance(Duration::from_mins(2));
        let tries = recorder.queue.tries();
        while recorder.queue.tries() < tries + 2 {
            assert!(recorder.admit(Access::Write).is_err(), "nothing may be changed");
            tokio::task::yield_now().await;
        }
    }
    fs::rename(&aside, &there).unwrap();
    recorder.close().await;
    assert_eq!(written(&scene), ["before", "more", "during"]);
}

#[tokio::test]
async fn what_many_say_at_once_is_written_once_each_and_before_the_end() {
    let scene = Scene::new();
    let recorder = Arc::new(Recorder::start(scene.open(), scene.clock.clone()).unwrap());
    let tasks = TaskTracker::new();
    let speakers: Vec<_> = (0..8)
        .map(|n| {
            let recorder = Arc::clone(&recorder);
            tasks.spawn(async move {
                for m in 0..50 {
                    let what = format!("{n}-{m}");
                    if m % 5 == 0 {
                        recorder.record_durably(&record(&what)).written().await.unwrap();
                    } else {
                        recorder.record(&record(&what));
                    }
                }
            })
        })
        .collect();
    for speaker in speakers {
        speaker.await.unwrap();
    }
    recorder.close().await;
    let said = written(&scene);
    for n in 0..8 {
        let of: Vec<_> = said.iter().filter(|what| what.starts_with(&format!("{n}-"))).collect();
        let order: Vec<_> = (0..50).map(|m| format!("{n}-{m}")).collect();
        assert_eq!(of, order.iter().collect::<Vec<_>>());
    }
    assert!(scene.verify().sound);
    assert_eq!(recorder.status().waiting, 0);
}

#[tokio::test]
async fn i7_refusals_without_end_are_counted_and_the_count_is_recorded() {
    let scene = Scene::new();
    let recorder = Recorder::start(scene.open(), scene.clock.clone()).unwrap();
    for _ in 0..1_000 {
        recorder.record_refusal(Layer::Credential, &record("knock"));
    }
    recorder.close().await;
    let said = written(&scene);
    assert_eq!(said.iter().filter(|what| *what == "knock").count(), 100);
    let lines = scene.lines().join("\n");
    assert!(lines.contains("credential 900"), "{lines}");
}

/// The directory is taken away and the file too: nothing can be written, whoever we are.
#[tokio::test]
async fn i10_without_a_log_nothing_changes() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 1;
    let recorder = Recorder::start(scene.open(), scene.clock.clone()).unwrap();
    recorder.record_durably(&record("before")).written().await.unwrap();
    assert!(recorder.admit(Access::Write).is_ok());
    let (there, aside) = (scene.directory(), scene.temp.path().join("aside"));
    fs::rename(&there, &aside).unwrap();
    let error = recorder.record_durably(&record("during")).written().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(recorder.admit(Access::Write).is_err());
    assert!(recorder.admit(Access::Read).is_ok(), "reading goes on");
    assert!(!recorder.status().writable);
    fs::rename(&aside, &there).unwrap();
    // Only as long as a disk needs to be tried again.
    while recorder.admit(Access::Write).is_err() {
        tokio::task::yield_now().await;
    }
    recorder.close().await;
    assert_eq!(written(&scene), ["before", "during"], "nothing that was said is lost");
    assert!(scene.verify().sound, "{:?}", scene.verify());
}

/// `cargo test --release --lib a_record_is_cheap -- --ignored --nocapture`: CPU of the caller and
/// of the writer together, without anybody who waits for the disk.
#[ignore = "prints a time, which only means something in a release build"]
#[tokio::test]
async fn a_record_is_cheap() {
    const COUNT: u32 = 200_000;
    let scene = Scene::new();
    let recorder = Recorder::start(scene.open(), scene.clock.clone()).unwrap();
    let Value::Object(arguments) =
        serde_json::json!({"content": "a note of some forty characters, or so", "tags": ["a"]})
    else {
        return;
    };
    let started = cpu_ticks();
    for n in 0..COUNT {
        let digests = recorder.digests(&arguments);
        recorder.record(&Record {
            request: "yyk5v51fqyp24gm",
            action: Some("memory_write"),
            resource: Some("t_fw14206kktvbqe8gzy1n"),
            arguments: Some(&digests),
            policies: &["agent.memory".into()],
            ..record("store_memory")
        });
        while n % 1_000 == 0 && recorder.status().waiting > 10_000 {
            thread::yield_now();
        }
    }
    recorder.close().await;
    let micros = (cpu_ticks() - started) * 10_000 / u64::from(COUNT / 1_000);
    println!("a record takes {}.{:03} µs of CPU", micros / 1_000, micros % 1_000);
    assert!(scene.verify().sound);
}

/// User and system time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}
