//! Showing records: those that fit, from all of the log or from its end.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    frame::Frame,
    lines::{Lines, Piece},
    segment::Segment,
};
use crate::domain::{Error, Result};

/// Which records fit. What is not said does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// This key, or a refused credential that claimed to be it.
    pub key: Option<String>,
    /// This tenant, by its id or its label: of the caller, or what it was about.
    pub tenant: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// This tool, route or command.
    pub what: Option<String>,
    /// This outcome.
    pub outcome: Option<String>,
    /// This request.
    pub request: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Signatures too, which are no decisions.
    pub checkpoints: bool,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it stands in the log, without the end of the line.
    pub line: String,
    /// The same, read.
    pub members: Value,
}

/// A log that is read from the front, and on while it grows.
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    filter: Filter,
    /// The record that comes next.
    next: u64,
}

impl Filter {
    /// Whether a line could fit, by a look at its text: most lines need not be read.
    fn may_fit(&self, line: &str) -> bool {
        let wanted = [&self.key, &self.action, &self.what, &self.outcome, &self.request];
        let mut wanted = wanted.into_iter().chain([&self.tenant]).flatten();
        // A text with these is written in another way.
        wanted.all(|text| text.contains(['"', '\\']) || line.contains(text.as_str()))
    }

    fn fits(&self, record: &Value) -> bool {
        let is = |pointer: &str, wanted: &Option<String>| match wanted {
            None => true,
            Some(wanted) => record.pointer(pointer).and_then(Value::as_str) == Some(wanted),
        };
        let of_tenant = self.tenant.is_none()
            || ["/who/tenant", "/who/label", "/resource", "/target"]
                .iter()
                .any(|pointer| is(pointer, &self.tenant));
        let time = || record["time"].as_str()?.parse::<Timestamp>().ok();
        let in_time = (self.since.is_none() && self.until.is_none())
            || time().is_some_and(|time| {
                self.since.is_none_or(|since| time >= since)
                    && self.until.is_none_or(|until| time < until)
            });
        in_time
            && of_tenant
            && (self.checkpoints || record["event"] != "checkpoint")
            && (is("/who/key", &self.key) || is("/who/claimed", &self.key))
            && is("/action", &self.action)
            && is("/what", &self.what)
            && is("/outcome", &self.outcome)
            && is("/request", &self.request)
    }
}

impl Reader {
    /// Everything in `directory` that fits, from the first record on.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, filter: Filter) -> Self {
        Self { directory: directory.into(), filter, next: 1 }
    }

    /// The last `count` that fit, the newest at the end; what is read after it comes after them.
    ///
    /// # Errors
    /// `Unavailable` when files cannot be read.
    pub fn tail(&mut self, count: usize) -> Result<Vec<Shown>> {
        let mut found: VecDeque<Shown> = VecDeque::new();
        let mut segments = segments(&self.directory)?;
        let mut next = None;
        while let Some(segment) = segments.pop() {
            let mut here = VecDeque::new();
            let after = self.segment(&segment, 1, &mut |shown| {
                if count > 0 {
                    if here.len() == count {
                        here.pop_front();
                    }
                    here.push_back(shown);
                }
                Ok(())
            })?;
            next.get_or_insert(after);
            let room = count - found.len();
            here.drain(..here.len().saturating_sub(room));
            here.append(&mut found);
            found = here;
            if found.len() == count {
                break;
            }
        }
        self.next = next.unwrap_or(1);
        Ok(found.into())
    }

    /// Everything that fits and was not read yet.
    ///
    /// # Errors
    /// `Unavailable` when files cannot be read; what `each` fails with.
    pub fn read(&mut self, each: &mut dyn FnMut(Shown) -> Result<()>) -> Result<()> {
        let segments = segments(&self.directory)?;
        let begun = segments.iter().rposition(|segment| segment.first <= self.next).unwrap_or(0);
        for segment in segments.get(begun..).unwrap_or_default() {
            self.next = self.segment(segment, self.next, each)?.max(self.next);
        }
        Ok(())
    }

    /// Returns the number after the last record.
    fn segment(
        &self,
        segment: &Segment,
        from: u64,
        each: &mut dyn FnMut(Shown) -> Result<()>,
    ) -> Result<u64> {
        let failed = |error: io::Error| Error::unavailable(error);
        let mut lines = Lines::of(&segment.path).map_err(failed)?;
        let mut next = segment.first;
        // What is no record is for `verify` to speak of.
        while let Some(piece) = lines.next().map_err(failed)? {
            let Piece::Line(line) = piece else { continue };
            let Some(frame) = Frame::read(line) else { continue };
            next = frame.seq.saturating_add(1);
            if frame.seq < from {
                continue;
            }
            if !self.filter.may_fit(line) {
                continue;
            }
            let Ok(members) = serde_json::from_str(line) else { continue };
            if self.filter.fits(&members) {
                each(Shown { line: line.to_owned(), members })?;
            }
        }
        Ok(next)
    }
}

fn segments(directory: &Path) -> Result<Vec<Segment>> {
    Segment::all(directory).map_err(Error::unavailable)
}
