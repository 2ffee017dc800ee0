//! Every way to change a log that we could think of, and what is said of it.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::audit::{chain, frame, testing::Scene};

fn told(report: &Report) -> Vec<String> {
    report
        .faults
        .iter()
        .map(|fault| {
            let at = fault.record.map_or("-".to_owned(), |record| record.to_string());
            format!("{at}: {}", fault.what)
        })
        .collect()
}

#[test]
fn a_log_that_nobody_touched_is_sound() {
    let scene = Scene::new();
    let first = scene.write(0..5);
    let last = scene.write(5..9);
    let report = scene.verify_with(&[first, last]);
    assert!(report.sound, "{report:?}");
    // 9 records, and signatures: at the beginning, and at the end of each run.
    assert_eq!((report.records, report.signatures, report.unsigned), (12, 3, 0));
    assert_eq!((report.first, report.last), (1, Some(last)));
    assert!(report.until > report.from);
}

#[test]
fn i10_every_flipped_byte_of_a_log_is_found() {
    let scene = Scene::new();
    scene.write(0..4);
    let path = scene.segments()[0].path.clone();
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = good.clone();
            changed[at] ^= bit;
            fs::write(&path, &changed).unwrap();
            let report = scene.verify();
            assert!(!report.sound, "byte {at} of {}, bit {bit:#x}", good.len());
            // Where: the line that was changed is among those that are named.
            let line = good[..at].split(|b| *b == b'\n').count() as u64;
            let near = |fault: &Fault| fault.line.is_some_and(|l| l == line || l == line + 1);
            let ends = at + 1 == good.len();
            assert!(ends || report.faults.iter().any(near), "byte {at}: {report:?}");
        }
    }
}

#[test]
fn i10_a_changed_record_is_named_and_the_others_are_not() {
    let scene = Scene::new();
    scene.write(0..6);
    let mut lines = scene.lines();
    lines[3] = lines[3].replace("tool 2", "tool 7");
    scene.put_lines(&lines);
    let report = scene.verify();
    assert_eq!(told(&report), ["4: was changed, or what stands before it was"]);
    assert_eq!(report.faults[0].line, Some(4));
    assert_eq!(report.faults[0].file, "000000000001.jsonl");
}

#[test]
fn i10_a_removed_record_is_named() {
    let scene = Scene::new();
    scene.write(0..6);
    let mut lines = scene.lines();
    lines.drain(2..4);
    scene.put_lines(&lines);
    assert_eq!(told(&scene.verify()), ["5: records 3 to 4 are missing before it"]);
}

#[test]
fn i10_records_that_changed_places_are_named() {
    let scene = Scene::new();
    scene.write(0..6);
    let mut lines = scene.lines();
    lines.swap(2, 3);
    scene.put_lines(&lines);
    let report = scene.verify();
    assert!(told(&report)[0].starts_with("4: record 3 is missing before it"), "{report:?}");
    assert!(told(&report)[1].contains("stands where record 5 should"), "{report:?}");
}

#[test]
fn i10_a_record_that_is_there_twice_is_named() {
    let scene = Scene::new();
    scene.write(0..4);
    let mut lines = scene.lines();
    lines.insert(3, lines[2].clone());
    scene.put_lines(&lines);
    let report = scene.verify();
    assert!(told(&report)[0].contains("3: stands where record 4 should"), "{report:?}");
}

#[test]
fn i10_a_tail_that_was_cut_off_is_missed() {
    let scene = Scene::new();
    let last = scene.write(0..6);
    let lines = scene.lines();
    for keep in 1..lines.len() {
        scene.put_lines(&lines[..keep]);
        let report = scene.verify();
        let what = format!(
            "{}: the log ends at record {keep}, and {} was written: its end was cut off",
            last.seq, last.seq
        );
        assert_eq!(told(&report), [what]);
    }
    // With all of it gone, too.
    fs::remove_file(&scene.segments()[0].path).unwrap();
    assert!(!scene.verify().sound);
}

#[test]
fn i10_a_cut_that_took_the_head_along_is_missed_by_who_kept_one() {
    let scene = Scene::new();
    scene.write(0..3);
    let heads = [scene.directory().join(head::FILE), scene.temp.path().join("audit.head")];
    let old_heads = heads.each_ref().map(|path| fs::read(path).unwrap());
    let old_lines = scene.lines();
    let kept = scene.write(3..6);
    // The whole directory as it was before: by itself it is a sound log.
    scene.put_lines(&old_lines);
    for (path, old) in heads.iter().zip(old_heads) {
        fs::write(path, old).unwrap();
    }
    assert!(scene.verify().sound);
    let report = scene.verify_with(&[kept]);
    assert!(told(&report)[0].contains("its end was cut off"), "{report:?}");
}

#[test]
fn i10_records_appended_behind_an_older_head_are_found() {
    let scene = Scene::new();
    scene.write(0..3);
    let old = scene.lines();
    scene.write(3..6);
    let mut forged = old;
    let (mut text, last) = (String::new(), Frame::read(forged.last().unwrap()).unwrap());
    let mut before = last.hash;
    for n in 1..=4 {
        let object = r#"{"time":"2026-07-28T12:00:00Z","event":"call"}"#;
        before = chain::link(&mut text, &before, &frame::body(last.seq + n, object));
    }
    forged.extend(text.lines().map(str::to_owned));
    scene.put_lines(&forged);
    let report = scene.verify();
    assert!(told(&report)[0].contains("is not the one that was written"), "{report:?}");
}

#[test]
fn i10_a_chain_that_was_made_anew_lacks_the_signatures() {
    let scene = Scene::new();
    scene.write(0..4);
    let (mut text, mut before) = (String::new(), Hash::GENESIS);
    for line in scene.lines() {
        let body = Frame::read(&line).unwrap().body.replace("tool 1", "tool 9");
        before = chain::link(&mut text, &before, &body);
    }
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    scene.put_lines(&lines);
    let report = scene.verify();
    assert!(report.faults.iter().any(|f| f.what.contains("signature")), "{report:?}");
    // And with signatures of another key.
    let other = Scene::new();
    other.write(0..4);
    let keys = scene.keys();
    let ask = Ask { keys: &keys, ..Ask::default() };
    let report = verify(&other.directory(), &ask, &mut |_, _| ()).unwrap();
    assert!(told(&report)[0].contains("of a key that was not named"), "{report:?}");
}

/// Who can write the files and has no key.
#[test]
fn i10_a_checkpoint_is_no_head() {
    let scene = Scene::new();
    scene.write(0..3);
    let lines = scene.lines();
    let checkpoint: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    let head = serde_json::json!({
        "seq": 0,
        "closed": false,
        "hash": checkpoint["head"],
        "time": checkpoint["time"],
        "signature": checkpoint["signature"],
    });
    fs::write(scene.directory().join(head::FILE), format!("{head}\n")).unwrap();
    scene.put_lines(&lines[..2]);
    fs::remove_file(scene.temp.path().join("audit.head")).unwrap();
    assert_eq!(told(&scene.verify()), ["-: is damaged, or signed with a key that was not named"]);
}

#[test]
fn i10_a_forged_pruning_explains_no_gap() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 600;
    scene.write(0..12);
    let segments = scene.segments();
    let (last, old) = segments.split_last().unwrap();
    for segment in old {
        fs::remove_file(&segment.path).unwrap();
    }
    let mut text = fs::read_to_string(&last.path).unwrap();
    let end = Frame::read(text.lines().last().unwrap()).map(|f| (f.seq, f.hash)).unwrap();
    let object = format!(
        r#"{{"time":"2026-07-28T12:00:00Z","event":"pruned","through":{},"head":"{}","signature":""}}"#,
        last.first - 1,
        end.1,
    );
    chain::link(&mut text, &end.1, &frame::body(end.0 + 1, &object));
    fs::write(&last.path, text).unwrap();
    assert!(told(&scene.verify())[0].contains("nothing says that the ones before"));
}

#[test]
fn i10_more_records_without_a_signature_than_there_can_be_are_none() {
    let scene = Scene::new();
    scene.write(0..1);
    let mut text = scene.lines().join("\n") + "\n";
    let last = Frame::read(text.lines().last().unwrap()).map(|f| (f.seq, f.hash)).unwrap();
    let mut before = last.1;
    for n in 1..=MOST_UNSIGNED + 1 {
        let object = r#"{"time":"2026-07-28T12:00:00Z","event":"call"}"#;
        before = chain::link(&mut text, &before, &frame::body(last.0 + n, object));
    }
    fs::write(&scene.segments()[0].path, text).unwrap();
    let told = told(&scene.verify());
    assert!(told.iter().any(|what| what.contains("are not signed")), "{told:?}");
}

#[test]
fn i10_where_there_was_a_log_an_empty_place_is_none() {
    let scene = Scene::new();
    scene.write(0..3);
    fs::remove_file(&scene.segments()[0].path).unwrap();
    fs::remove_file(scene.directory().join(head::FILE)).unwrap();
    fs::remove_file(scene.temp.path().join("audit.head")).unwrap();
    assert!(!scene.verify().sound);
    let log = scene.open();
    assert!(log.trouble()[0].contains("all of it is gone"), "{:?}", log.trouble());
}

#[test]
fn i10_a_missing_file_is_missed() {
    let mut scene = Scene::new();
    scene.settings.segment_bytes = 600;
    scene.write(0..12);
    let segments = scene.segments();
    assert!(segments.len() >= 3, "{segments:?}");
    assert!(scene.verify().sound, "{:?}", scene.verify());
    for segment in &segments {
        let aside = scene.temp.path().join("aside");
        fs::rename(&segment.path, &aside).unwrap();
        let report = scene.verify();
        assert!(!report.sound, "{}", segment.name());
        fs::rename(&aside, &segment.path).unwrap();
    }
    // The first ones gone, as if they had been too old.
    fs::remove_file(&segments[0].path).unwrap();
    let report = scene.verify();
    assert!(told(&report)[0].contains("nothing says that the ones before"), "{report:?}");
}

#[test]
fn an_unfinished_line_is_a_fault_unless_somebody_writes() {
    let scene = Scene::new();
    scene.write(0..3);
    let path = scene.segments()[0].path.clone();
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"seq\":6,\"ti");
    fs::write(&path, text).unwrap();
    assert!(told(&scene.verify())[0].contains("12 bytes of a record"));
    let ask = Ask { keys: &scene.keys(), growing: true, ..Ask::default() };
    assert!(verify(&scene.directory(), &ask, &mut |_, _| ()).unwrap().sound);
}

#[test]
fn a_hundred_thousand_records_are_verified_and_the_progress_is_told() {
    let scene = Scene::new();
    let mut log = scene.open();
    for batch in 0..100 {
        let objects: Vec<_> = (0..1_000).map(|n| scene.object(batch * 1_000 + n)).collect();
        log.append(&objects, false).unwrap();
    }
    log.checkpoint().unwrap();
    let mut seen = (0, 0);
    let ask = Ask { keys: &scene.keys(), ..Ask::default() };
    let report = verify(&scene.directory(), &ask, &mut |read, total| seen = (read, total)).unwrap();
    assert!(report.sound, "{:?}", report.faults);
    assert!(report.records > 100_000);
    assert!(seen.0 == seen.1 && seen.1 > 0, "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is done to the lines: it is found, or nothing was done.
    #[test]
    fn i10_whatever_is_done_to_the_lines_is_found(
        cuts in prop::collection::vec((0..12_usize, 0..12_usize, 0..3_u8), 1..4),
    ) {
        let scene = Scene::new();
        scene.write(0..9);
        let good = scene.lines();
        let mut lines = good.clone();
        for (from, to, how) in cuts {
            let (from, to) = (from % lines.len(), to % lines.len());
            match how {
                0 => lines.swap(from, to),
                1 => { let line = lines[from].clone(); lines.insert(to, line); }
                _ => { lines.remove(from); }
            }
            if lines.is_empty() { break; }
        }
        scene.put_lines(&lines);
        prop_assert_eq!(scene.verify().sound, lines == good);
    }
}
