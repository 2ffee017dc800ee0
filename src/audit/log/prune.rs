//! Removing files that are older than they are kept, so that the removal is part of the record.

use std::{fs, io};

use jiff::Timestamp;
use serde::Serialize;

use super::{Log, unwritable};
use crate::{
    audit::{
        chain::Hash,
        checkpoint::Purpose,
        frame::Frame,
        lines::{Lines, Piece},
        segment::Segment,
    },
    db::data_dir::sync_parent,
    domain::{Error, Result},
};

/// What is written before files go.
#[derive(Serialize)]
struct Pruned {
    time: Timestamp,
    event: &'static str,
    /// The last record that goes, and its hash.
    through: u64,
    head: String,
    /// SECURITY: over those two and the time; unsigned, it would explain any gap that anybody makes
    /// (`i10_a_forged_pruning_explains_no_gap`).
    signature: String,
}

impl Log {
    /// Removes the files whose last record is older than `audit.keep`, and the oldest ones while
    /// all together are larger than `audit.max_bytes`, and returns how many.
    /// First it is written down, then they go; what was not removed for want of time goes the
    /// next time.
    ///
    /// # Errors
    /// `Unavailable` when files cannot be read, written or removed.
    pub(in crate::audit) fn prune(&mut self) -> Result<usize> {
        let now = self.clock.now();
        let segments = Segment::all(&self.directory).map_err(Error::unavailable)?;
        let length = |segment: &Segment| segment.path.metadata().map_or(0, |meta| meta.len());
        let mut total: u64 = segments.iter().map(length).sum();
        let mut old = Vec::new();
        let mut end = None;
        for pair in segments.windows(2) {
            let [segment, next] = pair else { continue };
            // The next one begins when this one ends, with its hash.
            let Some((ended, hash)) = beginning(next).map_err(Error::unavailable)? else { break };
            let is_old =
                ended < now && now.duration_since(ended).unsigned_abs() > self.settings.keep;
            if !is_old && total <= self.settings.max_bytes as u64 {
                break;
            }
            total = total.saturating_sub(length(segment));
            old.push(segment);
            end = Some((next.first.saturating_sub(1), hash));
        }
        let Some((through, hash)) = end else { return Ok(0) };
        let signature = self.signer.sign(Purpose::Pruned, through, &hash, now)?;
        let head = hash.to_string();
        let pruned = Pruned { time: now, event: "pruned", through, head, signature };
        let object = serde_json::to_string(&pruned).map_err(Error::internal)?;
        self.append(&[object], true)?;
        for segment in &old {
            fs::remove_file(&segment.path).map_err(unwritable)?;
            sync_parent(&segment.path)?;
        }
        tracing::info!(target: "memgate::audit", files = old.len(), through, "old audit records were removed");
        Ok(old.len())
    }
}

/// When a segment began, and the hash of the record before it.
fn beginning(segment: &Segment) -> io::Result<Option<(Timestamp, Hash)>> {
    let mut lines = Lines::of(&segment.path)?;
    let Some(Piece::Line(line)) = lines.next()? else { return Ok(None) };
    let checkpoint = Frame::read(line).and_then(|frame| frame.checkpoint());
    Ok(checkpoint.and_then(|checkpoint| Some((checkpoint.time, checkpoint.head()?))))
}
