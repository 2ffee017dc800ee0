//! Whether the log is what was written, and if not, where.
//!
//! Reads everything once, from the first file to the last, and may do so while the log grows: what
//! was signed last is read first. Every fault is told with its file and line; one that was found
//! does not hide the next. What it cannot see: an attacker who holds the signing key, or who puts
//! an older copy of the whole directory back. Against the second, give it a head that was kept
//! elsewhere ([`Ask::heads`]).

use std::{io, path::Path};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    chain::Hash,
    checkpoint::PublicKey,
    frame::{Checkpoint, Frame},
    head::{self, Found, Head},
    lines::{Lines, Piece},
    log::MOST_UNSIGNED,
    segment::Segment,
};
use crate::domain::{Error, Result};

/// Faults that are told each.
const MOST_FAULTS: usize = 100;

/// What to verify against.
#[derive(Debug, Default)]
pub struct Ask<'a> {
    /// The keys whose signatures count.
    pub keys: &'a [PublicKey],
    /// Heads that were kept elsewhere: the log must hold these records.
    pub heads: &'a [Head],
    /// Somebody writes to it meanwhile: its last line may be unfinished.
    pub growing: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether the log is what was written.
    pub sound: bool,
    /// Files.
    pub files: usize,
    /// Records.
    pub records: u64,
    /// The first record that is here; more than 1 when older ones were removed by age.
    pub first: u64,
    /// The last record that is here.
    pub last: Option<Head>,
    /// When the first record was made.
    pub from: Option<Timestamp>,
    /// When the last one was.
    pub until: Option<Timestamp>,
    /// Signatures that were checked.
    pub signatures: u64,
    /// Records at the end that no signature speaks of yet.
    pub unsigned: u64,
    /// What is wrong, in the order of the log.
    pub faults: Vec<Fault>,
}

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// What is wrong with it.
    pub what: String,
}

/// Verifies the log in `directory`. `progress` is told how many bytes of how many were read.
///
/// # Errors
/// `Unavailable` when files cannot be read. A log that is not sound is no error.
pub fn verify(
    directory: &Path,
    ask: &Ask<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report> {
    // First, so that a log that grows meanwhile is not behind it.
    let (head, kept) = (head::read(directory, ask.keys), head::kept(directory, ask.keys));
    let segments = Segment::all(directory).map_err(Error::unavailable)?;
    let total: u64 = segments.iter().filter_map(|s| s.path.metadata().ok()).map(|m| m.len()).sum();
    let mut walk = Walk::new(ask, head, kept);
    let mut read = 0;
    for (n, segment) in segments.iter().enumerate() {
        let last = n + 1 == segments.len();
        let mut tell = |bytes| progress(read + bytes, total);
        match walk.segment(segment, last, &mut tell) {
            Ok(bytes) => read += bytes,
            Err(error) => walk.fault(segment, None, None, format!("cannot be read: {error}")),
        }
    }
    Ok(walk.finish(segments.len(), head))
}

/// On the way from the first record to the last.
struct Walk<'a> {
    ask: &'a Ask<'a>,
    report: Report,
    /// The number that comes next; none before the first.
    next: Option<u64>,
    /// What the next line hangs on; none after a line that could not be read.
    before: Option<Hash>,
    /// The last record that a signature speaks of.
    signed: u64,
    /// Records up to this one may be missing at the beginning: it is signed that they went.
    pruned: u64,
    /// Heads that are to be met, and whether they were.
    wanted: Vec<(Head, bool)>,
}

impl<'a> Walk<'a> {
    fn new(ask: &'a Ask<'a>, head: Found, kept: Option<Head>) -> Self {
        let written = if let Found::Signed { head, .. } = head { Some(head) } else { None };
        let report = Report {
            sound: true,
            files: 0,
            records: 0,
            first: 0,
            last: None,
            from: None,
            until: None,
            signatures: 0,
            unsigned: 0,
            faults: Vec::new(),
        };
        let wanted = written.into_iter().chain(kept).chain(ask.heads.iter().copied());
        let mut wanted: Vec<_> = wanted.map(|head| (head, head.seq == 0)).collect();
        // The head and its copy are one most of the time.
        wanted.dedup();
        Self { ask, report, next: None, before: None, signed: 0, pruned: 0, wanted }
    }

    fn segment(
        &mut self,
        segment: &Segment,
        last: bool,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<u64> {
        let mut lines = Lines::of(&segment.path)?;
        let mut number = 0;
        while let Some(piece) = lines.next()? {
            number += 1;
            match piece {
                Piece::Line(line) => match Frame::read(line) {
                    Some(frame) => self.record(segment, number, &frame),
                    None => self.noise(segment, number),
                },
                Piece::Noise => self.noise(segment, number),
                Piece::Torn(_) if last && self.ask.growing => {}
                Piece::Torn(bytes) => {
                    let what = format!(
                        "ends with {bytes} bytes of a record: it was cut off, or the process died \
                         while it wrote; the next start of memgate tells the two apart"
                    );
                    self.fault(segment, Some(number), self.next, what);
                }
            }
            if number % 4_096 == 0 {
                progress(lines.whole);
            }
        }
        if number == 0 && !(last && self.ask.growing) {
            self.fault(segment, None, None, "holds no record".to_owned());
        }
        progress(lines.whole);
        Ok(lines.whole)
    }

    fn noise(&mut self, segment: &Segment, line: u64) {
        self.fault(segment, Some(line), self.next, "is no record of memgate".to_owned());
        self.next = self.next.map(|next| next + 1);
        self.before = None;
    }

    fn record(&mut self, segment: &Segment, line: u64, frame: &Frame<'_>) {
        let seq = frame.seq;
        let mut found: Vec<String> = Vec::new();
        let checkpoint = frame.checkpoint();
        if line == 1 && checkpoint.is_none() {
            found.push("a file must begin with a signature, and this one does not".to_owned());
        }
        if line == 1 && segment.first != seq {
            found.push("the file has another name than it was given".to_owned());
        }
        match self.next {
            Some(next) if next < seq => {
                found.push(match seq - next {
                    1 => format!("record {next} is missing before it"),
                    _ => format!("records {next} to {} are missing before it", seq - 1),
                });
                // What it hangs on is not here.
                self.before = None;
            }
            Some(next) if next > seq => {
                found.push(format!("stands where record {next} should: moved, or written twice"));
                self.before = None;
            }
            _ => {}
        }
        let signed_head = checkpoint.as_ref().and_then(Checkpoint::head);
        if let Some(checkpoint) = &checkpoint {
            self.report.signatures += 1;
            if checkpoint.signed_by(self.ask.keys) {
                self.signed = seq;
            } else {
                let what = "its signature is not good, or of a key that was not named";
                found.push(what.to_owned());
            }
        }
        if self.next.is_none() {
            // The very first: from nothing, or from what a signature says was removed.
            self.before = if seq == 1 { Some(Hash::GENESIS) } else { signed_head };
            self.report.first = seq;
        }
        let hangs = self.before.is_none_or(|before| before.then(frame.body) == frame.hash);
        if !hangs {
            found.push("was changed, or what stands before it was".to_owned());
        } else if let (Some(before), Some(head)) = (self.before, signed_head)
            && before != head
        {
            let what = "its signature speaks of another record than the one before it";
            found.push(what.to_owned());
        }
        for what in found {
            self.fault(segment, Some(line), Some(seq), what);
        }
        self.note(frame);
        self.next = Some(seq.saturating_add(1));
        self.before = Some(frame.hash);
    }

    /// What this record tells about others.
    fn note(&mut self, frame: &Frame<'_>) {
        let head = Head { seq: frame.seq, hash: frame.hash };
        for (wanted, met) in &mut self.wanted {
            *met |= *wanted == head;
        }
        self.report.records += 1;
        self.report.last = Some(head);
        self.report.until = frame.time();
        if self.report.from.is_none() {
            self.report.from = self.report.until;
        }
        if let Some(through) = frame.pruned().and_then(|pruned| pruned.through(self.ask.keys)) {
            self.pruned = self.pruned.max(through);
        }
    }

    fn finish(mut self, files: usize, head: Found) -> Report {
        let end =
            |what: String| Fault { file: head::FILE.to_owned(), line: None, record: None, what };
        let last = self.report.last.map_or(0, |last| last.seq);
        match head {
            Found::Missing => {
                let what = "is gone; without it a cut end is not noticed";
                self.report.faults.push(end(what.to_owned()));
            }
            Found::Damaged => {
                let what = "is damaged, or signed with a key that was not named";
                self.report.faults.push(end(what.to_owned()));
            }
            Found::Signed { head, closed: true } if head.seq < last && !self.ask.growing => {
                let what = format!(
                    "the log was closed with record {}, and others were added behind it",
                    head.seq
                );
                self.report.faults.push(end(what));
            }
            Found::Signed { .. } => {}
        }
        for (wanted, met) in &self.wanted {
            let what = if wanted.seq > last {
                format!(
                    "the log ends at record {last}, and {} was written: its end was cut off",
                    wanted.seq
                )
            } else {
                format!("record {} is not the one that was written", wanted.seq)
            };
            let gone = wanted.seq < self.report.first && wanted.seq <= self.pruned;
            if !met && !gone {
                self.report.faults.push(Fault { record: Some(wanted.seq), ..end(what) });
            }
        }
        if self.report.first > 1 && self.report.first > self.pruned + 1 {
            let what = format!(
                "begins with record {}, and nothing says that the ones before were removed by age",
                self.report.first
            );
            self.report.faults.insert(0, Fault { file: "the log".to_owned(), ..end(what) });
        }
        self.report.files = files;
        self.report.unsigned = last.saturating_sub(self.signed);
        if self.report.unsigned > MOST_UNSIGNED {
            let what = format!(
                "the last {} records are not signed, and memgate leaves no more than {MOST_UNSIGNED} so",
                self.report.unsigned
            );
            let fault = Fault { file: "the log".to_owned(), ..end(what) };
            self.report.faults.push(fault);
        }
        self.report.sound = self.report.faults.is_empty();
        self.report
    }

    fn fault(&mut self, segment: &Segment, line: Option<u64>, record: Option<u64>, what: String) {
        if self.report.faults.len() < MOST_FAULTS {
            self.report.faults.push(Fault { file: segment.name(), line, record, what });
        }
    }
}

#[cfg(test)]
mod tests;
