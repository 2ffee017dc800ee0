//! Where an earlier process left the log, and whether it is still as it was left.
//!
//! Only the last segment and the signed head are looked at, so that a start stays quick;
//! `audit verify` looks at everything. A record that was being written when the process died was
//! never told to be written, and goes. Everything else that does not fit is kept, and numbering
//! goes on after the highest number that anything speaks of, so that the gap stays to be found.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use crate::{
    audit::{
        chain::Hash,
        checkpoint::PublicKey,
        frame::Frame,
        head::{self, Found, Head},
        lines::{Lines, Piece},
        segment::Segment,
    },
    domain::{Error, Result},
};

/// What was found.
pub(super) struct Recovered {
    /// The record that the next one hangs on.
    pub(super) last: Head,
    /// The segment that goes on; none when a new one begins.
    pub(super) segment: Option<Segment>,
    /// A record that was cut off in the middle.
    pub(super) torn: Option<String>,
    /// The log was closed, and its head says so.
    pub(super) closed: bool,
    /// What is not as it was left.
    pub(super) trouble: Vec<String>,
}

impl Recovered {
    /// Nothing was ever written here.
    pub(super) fn is_new(&self) -> bool {
        self.last.seq == 0 && self.trouble.is_empty()
    }
}

/// Looks at the log in `directory`.
pub(super) fn look(directory: &Path, keys: &[PublicKey], had_log: bool) -> Result<Recovered> {
    let mut segments = Segment::all(directory).map_err(Error::unavailable)?;
    let (head, kept) = (head::read(directory, keys), head::kept(directory, keys));
    let nothing = Head { seq: 0, hash: Hash::GENESIS };
    let closed = matches!(head, Found::Signed { closed: true, .. });
    let mut found =
        Recovered { last: nothing, segment: None, torn: None, closed, trouble: Vec::new() };
    let own = if let Found::Signed { head, .. } = head { Some(head) } else { None };
    // The one that speaks of more; the copy lies where who can write only the log cannot.
    let signed = own.into_iter().chain(kept).max_by_key(|head| head.seq);
    if head == Found::Damaged {
        found.trouble.push("the file `head` is damaged, or signed with another key".to_owned());
    } else if signed != own {
        found.trouble.push("the file `head` is gone, or older than its copy".to_owned());
    }
    // The process may have died between making a file and writing to it.
    while let Some(empty) = segments.pop_if(|last| is_empty(last)) {
        fs::remove_file(&empty.path).map_err(Error::unavailable)?;
    }
    let mut at_head = None;
    if let Some(segment) = segments.pop() {
        at_head = read(&segment, signed, &mut found).map_err(|e| {
            Error::unavailable(format!("{} in the audit log cannot be read: {e}", segment.name()))
        })?;
        if head == Found::Missing && found.trouble.is_empty() {
            found.trouble.push("the file `head` is gone".to_owned());
        }
        found.segment = found.trouble.is_empty().then_some(segment);
    } else if head == Found::Missing && had_log {
        found.trouble.push("there was a log here, and all of it is gone".to_owned());
    }
    let Some(signed) = signed else { return Ok(found) };
    let last = found.last.seq;
    if signed.seq > last {
        found.trouble.push(format!(
            "the log ends at record {last}, and record {} was written and signed: its end was cut off",
            signed.seq
        ));
        (found.last, found.segment) = (signed, None);
    } else if at_head.is_some_and(|hash| hash != signed.hash) {
        found.trouble.push(format!("record {} is not the one that was signed", signed.seq));
        (found.last.hash, found.segment) = (signed.hash, None);
    } else if closed && signed.seq < last {
        found.trouble.push(format!(
            "records were added behind record {}, at which the log was closed",
            signed.seq
        ));
        // What comes next hangs on what was signed, so that nothing ever makes them good.
        (found.last.hash, found.segment) = (signed.hash, None);
    }
    Ok(found)
}

/// Reads the last segment. Returns the hash of the record that `signed` speaks of, if it is here.
fn read(
    segment: &Segment,
    signed: Option<Head>,
    found: &mut Recovered,
) -> io::Result<Option<Hash>> {
    let mut lines = Lines::of(&segment.path)?;
    let (mut next, mut before, mut at_head) = (segment.first, None, None);
    let name = segment.name();
    let mut torn = None;
    while let Some(piece) = lines.next()? {
        let frame = match piece {
            Piece::Torn(bytes) => {
                torn = Some(bytes);
                break;
            }
            Piece::Noise => None,
            Piece::Line(line) => Frame::read(line),
        };
        let before_it = before.or_else(|| frame?.checkpoint()?.head());
        let hangs = |frame: &Frame<'_>| {
            frame.seq == next && before_it.is_some_and(|b: Hash| b.then(frame.body) == frame.hash)
        };
        if !frame.as_ref().is_some_and(hangs) && found.trouble.is_empty() {
            found.trouble.push(format!("record {next} in {name} was changed"));
        }
        if let Some(frame) = frame {
            before = Some(frame.hash);
            found.last = Head { seq: next, hash: frame.hash };
        } else {
            found.last.seq = next;
        }
        if signed.is_some_and(|head| head.seq == next) {
            at_head = before;
        }
        next += 1;
    }
    if let Some(bytes) = torn {
        let file = OpenOptions::new().write(true).open(&segment.path)?;
        file.set_len(lines.whole)?;
        file.sync_data()?;
        found.torn = Some(format!(
            "{bytes} bytes of a record that was being written when the process died were dropped"
        ));
    }
    Ok(at_head)
}

/// Whether it holds not one whole line.
fn is_empty(segment: &Segment) -> bool {
    Lines::of(&segment.path)
        .and_then(|mut lines| Ok(matches!(lines.next()?, None | Some(Piece::Torn(_)))))
        .unwrap_or(false)
}
