//! Opening again what was left in every state, failing disks, age.

use std::{fs, io::Write as _, time::Duration};

use super::*;
use crate::audit::testing::Scene;

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
