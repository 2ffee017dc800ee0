//! When the disk is looked at, and how closely.
//!
//! Once in a while with a glance; with a trial write at the next tick after a call failed for its
//! store, and at every tick while something is wrong, so that the end of it shows as fast as its
//! beginning. The pace is the clock's, never a caller's: a tenant whose own file is broken costs
//! one trial a tick and changes nothing for anybody else (I11).

use crate::db::disk::{Disk, Look};

/// Ticks between two glances when all is well.
const TICKS_BETWEEN: u32 = 5;

/// What is known of the disk.
#[derive(Debug, Default)]
pub(super) struct DiskWatch {
    disk: Disk,
    failures: u64,
    ticks: u32,
}

impl DiskWatch {
    /// How to look in this tick, if at all; `failures` is the count of calls that failed for
    /// their store.
    pub(super) fn due(&mut self, failures: u64) -> Option<Look> {
        let failed = std::mem::replace(&mut self.failures, failures) != failures;
        let turn = self.ticks == 0;
        self.ticks = (self.ticks + 1) % TICKS_BETWEEN;
        if failed || self.disk != Disk::Writable {
            return Some(Look::Trial);
        }
        turn.then_some(Look::Glance)
    }

    /// Takes note of what was found, and tells the operator once.
    pub(super) fn found(&mut self, disk: Disk) {
        if std::mem::replace(&mut self.disk, disk) == disk {
            return;
        }
        let why = match disk {
            Disk::Writable => return tracing::info!("the disk takes writes again"),
            Disk::Full => "full; make room, until then nothing is stored",
            Disk::ReadOnly => "read-only; mount it for writing",
            Disk::Failing => "failing; look at the system's log",
        };
        tracing::error!("the disk of the data directory is {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_now_and_then_and_a_trial_when_there_is_doubt() {
        let mut watch = DiskWatch::default();
        let quiet: Vec<_> = (0..6).map(|_| watch.due(0)).collect();
        let glance = Some(Look::Glance);
        assert_eq!(quiet, [glance, None, None, None, None, glance]);
        // However many calls fail, and whoever's they are: one trial in the next tick.
        assert_eq!(watch.due(7), Some(Look::Trial));
        watch.found(Disk::Writable);
        assert_eq!(watch.due(7), None, "i11: the disk was not the reason");
        watch.found(Disk::Full);
        assert_eq!([watch.due(7), watch.due(7)], [Some(Look::Trial); 2]);
        watch.found(Disk::Writable);
        assert_eq!([watch.due(7), watch.due(7)], [glance, None], "all is well again");
    }
}
