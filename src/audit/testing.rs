//! A log in a directory of its own, for the tests of the room.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::{
    Event, Log, Outcome, Record, Recorder,
    checkpoint::PublicKey,
    head::Head,
    segment::Segment,
    verify::{Ask, Report, verify},
};
use crate::{
    config,
    db::data_dir::DataDir,
    domain::{
        clock::{Clock, ManualClock},
        random::OsEntropy,
    },
};

/// A recorder in a data directory, for the tests of other rooms.
pub(crate) fn recorder(data: &DataDir, clock: Arc<dyn Clock>) -> Recorder {
    let settings = config::audit::Audit::default();
    let log = Log::open(data, &settings, Arc::clone(&clock), &OsEntropy).unwrap();
    Recorder::start(log, clock).unwrap()
}

/// A directory, a clock and what the log is set to.
pub(in crate::audit) struct Scene {
    pub(in crate::audit) temp: TempDir,
    pub(in crate::audit) clock: Arc<ManualClock>,
    pub(in crate::audit) settings: config::audit::Audit,
}

impl Scene {
    pub(in crate::audit) fn new() -> Self {
        Self {
            temp: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::at("2026-07-28T12:00:00Z".parse().unwrap())),
            settings: config::audit::Audit::default(),
        }
    }

    pub(in crate::audit) fn directory(&self) -> PathBuf {
        self.temp.path().join("audit")
    }

    pub(in crate::audit) fn open(&self) -> Log {
        Log::at(self.directory(), &self.settings, self.clock.clone(), &OsEntropy).unwrap()
    }

    /// A log with records `from..to`, closed as a server closes it.
    pub(in crate::audit) fn write(&self, numbers: std::ops::Range<u32>) -> Head {
        let mut log = self.open();
        for n in numbers {
            log.append(&[self.object(n)], true).unwrap();
            self.clock.advance(Duration::from_secs(1));
        }
        log.close().unwrap();
        log.last()
    }

    pub(in crate::audit) fn object(&self, n: u32) -> String {
        let what = format!("tool {n}");
        Record::new(Event::Call, what, Outcome::Allowed).object(self.clock.now()).unwrap()
    }

    pub(in crate::audit) fn keys(&self) -> [PublicKey; 1] {
        [PublicKey::read(&self.directory()).unwrap()]
    }

    pub(in crate::audit) fn verify(&self) -> Report {
        self.verify_with(&[])
    }

    pub(in crate::audit) fn verify_with(&self, heads: &[Head]) -> Report {
        let ask = Ask { keys: &self.keys(), heads, growing: false };
        verify(&self.directory(), &ask, &mut |_, _| ()).unwrap()
    }

    pub(in crate::audit) fn segments(&self) -> Vec<Segment> {
        Segment::all(&self.directory()).unwrap()
    }

    /// The lines of the only segment.
    pub(in crate::audit) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.segments()[0].path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    pub(in crate::audit) fn put_lines(&self, lines: &[String]) {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        fs::write(&self.segments()[0].path, text).unwrap();
    }
}
