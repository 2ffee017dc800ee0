//! Opening again what was left in every state, failing disks, age.

use std::{fs, io::Write as _, time::Duration};

use super::*;
use crate::{audit::testing::Scene, domain::random::OsEntropy};

#[test]
fn the_next_run_goes_on_where_the_last_one_ended() {
    let scene = Scene::new();
    let first = scene.write(0..3);
    let mut log = scene.open();
    assert_eq!((log.last(), log.trouble()), (first, &[][..]));
    log.append(&[scene.object(3)], true).unwrap();
    assert_eq!(log.last().seq, first.seq + 1);
    log.checkpoint().unwrap();
    assert!(scene.verify().sound, "{:?}", scene.verify());
}

#[test]
fn a_record_that_was_being_written_goes_and_is_spoken_of() {
    let scene = Scene::new();
    scene.write(0..3);
    let whole = scene.lines();
    let path = scene.segments()[0].path.clone();
    for cut in [1, 7, 40] {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&whole[1].as_bytes()[..cut]).unwrap();
        let log = scene.open();
        assert!(log.trouble().is_empty(), "{:?}", log.trouble());
        let told = scene.lines().pop().unwrap();
        assert!(told.contains(&format!("{cut} bytes of a record")), "{told}");
    }
    assert!(scene.verify().sound, "{:?}", scene.verify());
}

#[test]
fn a_file_that_was_only_begun_is_begun_again() {
    let scene = Scene::new();
    let last = scene.write(0..3);
    for left in ["", "{\"seq\":"] {
        fs::write(Segment::named(&scene.directory(), last.seq + 1).path, left).unwrap();
        let log = scene.open();
        assert_eq!((log.last(), log.trouble()), (last, &[][..]));
        assert_eq!(scene.segments().len(), 1);
    }
}

#[test]
fn i10_a_start_does_not_heal_what_was_done_to_the_log() {
    let hide = |lines: &mut Vec<String>, how: u8| match how {
        0 => drop(lines.split_off(3)),
        1 => lines[2] = lines[2].replace("tool 1", "tool 9"),
        2 => drop(lines.remove(2)),
        _ => *lines = lines[..1].to_vec(),
    };
    for how in 0..4 {
        let scene = Scene::new();
        scene.write(0..6);
        let mut lines = scene.lines();
        hide(&mut lines, how);
        scene.put_lines(&lines);
        let log = scene.open();
        assert!(!log.trouble().is_empty(), "{how}");
        drop(log);
        // Two more runs later it is still found.
        scene.write(6..9);
        scene.write(9..12);
        let report = scene.verify();
        assert!(!report.sound, "{how}");
        assert!(scene.open().trouble().is_empty(), "it is told once");
    }
}

/// Who can write the directory, and no other, and waits for the next start to sign what he wrote.
#[test]
fn i10_a_start_signs_nothing_that_was_added_behind_the_end() {
    let scene = Scene::new();
    let last = scene.write(0..4);
    let (path, mut text) = (scene.segments()[0].path.clone(), String::new());
    let object = r#"{"time":"2026-07-28T12:00:00Z","event":"call","what":"forged"}"#;
    chain::link(&mut text, &last.hash, &frame::body(last.seq + 1, object));
    let whole = fs::read_to_string(&path).unwrap() + &text;
    fs::write(&path, whole).unwrap();
    assert!(!scene.verify().sound);
    let log = scene.open();
    assert!(log.trouble()[0].contains("added behind"), "{:?}", log.trouble());
    drop(log);
    for run in 1..3 {
        scene.write(4..6);
        assert!(!scene.verify().sound, "after {run} more");
    }
}

#[test]
fn a_crash_is_no_forgery() {
    let scene = Scene::new();
    scene.write(0..3);
    let mut log = scene.open();
    log.append(&[scene.object(3)], true).unwrap();
    drop(log);
    let log = scene.open();
    assert!(log.trouble().is_empty(), "{:?}", log.trouble());
    drop(log);
    assert!(scene.verify().sound, "{:?}", scene.verify());
}

#[test]
fn i10_an_emptied_directory_and_an_older_head_are_missed_by_the_copy() {
    let scene = Scene::new();
    scene.write(0..2);
    let older = fs::read(scene.directory().join("head")).unwrap();
    let lines = scene.lines();
    scene.write(2..6);
    // Only the head and the end of the log are put back.
    scene.put_lines(&lines);
    fs::write(scene.directory().join("head"), older).unwrap();
    assert!(!scene.verify().sound);
    assert!(!scene.open().trouble().is_empty());

    let scene = Scene::new();
    let last = scene.write(0..3);
    let key = scene.temp.path().join("key.pem");
    fs::copy(scene.directory().join("signing.key"), &key).unwrap();
    fs::remove_dir_all(scene.directory()).unwrap();
    let settings = config::audit::Audit { signing_key: Some(key), ..scene.settings.clone() };
    let log = Log::at(scene.directory(), &settings, scene.clock.clone(), &OsEntropy).unwrap();
    assert!(!log.trouble().is_empty());
    assert!(log.last().seq > last.seq);
    drop(log);
    assert!(!scene.verify().sound);
}

#[test]
fn another_key_than_before_is_told() {
    let scene = Scene::new();
    scene.write(0..2);
    fs::remove_file(scene.directory().join("signing.key")).unwrap();
    let log = scene.open();
    assert!(log.trouble().iter().any(|what| what.contains("another key")), "{:?}", log.trouble());
}

#[test]
fn i11_a_pipe_or_a_link_stops_nobody() {
    let scene = Scene::new();
    let last = scene.write(0..2);
    let elsewhere = scene.temp.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    for n in 1..4 {
        let path = Segment::named(&scene.directory(), last.seq + n).path;
        if n == 2 {
            std::os::unix::fs::symlink(&elsewhere, path).unwrap();
        } else {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
                .unwrap();
        }
    }
    let told = scene.verify();
    assert!(!told.sound && told.faults.iter().any(|f| f.what.contains("regular")), "{told:?}");
    let refused = Log::at(scene.directory(), &scene.settings, scene.clock.clone(), &OsEntropy);
    assert!(refused.unwrap_err().to_string().contains(".jsonl"), "it names the file");
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
}

#[test]
fn i10_a_lost_log_is_missed_by_its_head() {
    let scene = Scene::new();
    let last = scene.write(0..6);
    fs::remove_file(&scene.segments()[0].path).unwrap();
    let log = scene.open();
    assert!(log.trouble()[0].contains("its end was cut off"), "{:?}", log.trouble());
    assert!(log.last().seq > last.seq);
    drop(log);
    scene.write(0..3);
    assert!(!scene.verify().sound);
}

#[test]
fn i10_a_log_that_is_moved_away_is_missed() {
    let scene = Scene::new();
    let mut log = scene.open();
    log.append(&[scene.object(0)], true).unwrap();
    log.checkpoint().unwrap();
    log.append(&[scene.object(1)], true).unwrap();
    fs::rename(&scene.segments()[0].path, scene.temp.path().join("aside")).unwrap();
    log.checkpoint().unwrap();
    assert!(log.trouble()[0].contains("was moved"), "{:?}", log.trouble());
    log.append(&[scene.object(2)], true).unwrap();
    assert!(!scene.verify().sound);
}

#[test]
fn files_follow_one_another_and_old_ones_go() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 600;
    scene.settings.keep = Duration::from_hours(48);
    scene.write(0..8);
    let old = scene.segments();
    assert!(old.len() > 2);
    let mut log = scene.open();
    assert_eq!(log.prune().unwrap(), 0, "nothing is old yet");
    scene.clock.advance(Duration::from_hours(49));
    // The last file still grows, whatever its age.
    assert_eq!(log.prune().unwrap(), old.len() - 1);
    assert_eq!(log.prune().unwrap(), 0);
    log.checkpoint().unwrap();
    drop(log);
    let report = scene.verify();
    assert!(report.sound, "{report:?}");
    assert!(report.first > 1);
    scene.write(8..20);
    assert!(scene.verify().sound, "{:?}", scene.verify());
    assert!(scene.segments().iter().all(|segment| segment.first >= report.first));
}

#[test]
fn the_oldest_files_go_when_all_together_are_too_large() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 600;
    scene.write(0..30);
    scene.settings.max_bytes = 3_000;
    let mut log = scene.open();
    assert!(log.prune().unwrap() > 3);
    drop(log);
    let left: u64 = scene.segments().iter().map(|s| s.path.metadata().unwrap().len()).sum();
    assert!((1_000..4_500).contains(&left), "{left}");
    assert!(scene.verify().sound, "{:?}", scene.verify());
}

#[test]
fn a_thousand_records_are_signed_without_being_asked() {
    let scene = Scene::new();
    let mut log = scene.open();
    for n in 0..2_500 {
        log.append(&[scene.object(n)], false).unwrap();
    }
    let report = scene.verify();
    assert!(report.sound, "{report:?}");
    assert!(report.unsigned <= RECORDS, "{report:?}");
    assert_eq!(report.signatures, 3);
}

#[test]
fn what_failed_is_not_in_the_log_and_can_be_tried_again() {
    let scene = Scene::new();
    scene.write(0..3);
    let mut log = scene.open();
    let last = log.last();
    // A file that takes nothing: the process may only read it.
    let path = scene.segments()[0].path.clone();
    let open = log.file.as_mut().unwrap();
    open.file = File::open(&path).unwrap();
    let error = log.append(&[scene.object(3)], true).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(log.last(), last);
    log.append(&[scene.object(3)], true).unwrap();
    log.checkpoint().unwrap();
    let report = scene.verify();
    assert!(report.sound, "{report:?}");
    let texts: String =
        scene.segments().iter().map(|s| fs::read_to_string(&s.path).unwrap()).collect();
    assert_eq!(texts.matches("tool 3").count(), 1);
}

#[test]
fn i5_keys_and_records_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    scene.write(0..1);
    for entry in fs::read_dir(scene.directory()).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path:?}");
    }
}
