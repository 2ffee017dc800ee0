//! What waits to be written.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::Status;
use crate::{
    audit::flood::{Flood, TOLD},
    telemetry::refusals::Layer,
};

/// Records that wait in memory at most. Far more than one disk stall needs; at 400 bytes each
/// it is a bound of 26 MB.
pub(super) const MOST: usize = 65_536;
/// So long a group is gathered that nobody waits for.
const GATHER: Duration = Duration::from_millis(50);
/// Between two tries while the disk fails.
const AGAIN: Duration = Duration::from_millis(250);

/// One record on its way.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) object: String,
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Everything.
    All,
    /// What changes nothing.
    Reads,
    /// Nothing.
    Nothing,
}

/// Why the writer wakes.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) records: Vec<Waiting>,
    /// What was only counted, in words.
    pub(super) counted: Option<String>,
    pub(super) closing: bool,
}

/// Records on their way, and the state of the log.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each changes at a time of its own")]
struct Inner {
    records: Vec<Waiting>,
    /// Taken by the writer and not on the disk yet.
    taken: usize,
    /// Some of `records` have somebody who waits.
    urgent: bool,
    closing: bool,
    closed: bool,
    failing: bool,
    #[cfg(test)]
    tries: u64,
    lost: u64,
    flood: Flood,
    status: Status,
}

impl Queue {
    pub(super) fn new(status: Status) -> Self {
        let inner = Inner {
            records: Vec::new(),
            taken: 0,
            urgent: false,
            closing: false,
            closed: false,
            failing: false,
            #[cfg(test)]
            tries: 0,
            lost: 0,
            flood: Flood::default(),
            status,
        };
        Self { inner: Mutex::new(inner), wake: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, object: String, done: Option<oneshot::Sender<()>>) {
        let mut inner = self.lock();
        // Twice as many as make us refuse: what was under way then still has its record.
        if inner.closed || inner.waiting() >= 2 * MOST {
            inner.lost += 1;
            return;
        }
        let first = inner.records.is_empty();
        inner.urgent |= done.is_some();
        inner.records.push(Waiting { object, done });
        let wake = first || inner.urgent;
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
    }

    pub(super) fn admits(&self, now: Duration, layer: Layer) -> bool {
        let mut inner = self.lock();
        let admitted = inner.flood.admits(now, layer);
        drop(inner);
        if !admitted {
            self.wake.notify_one();
        }
        admitted
    }

    pub(super) fn admission(&self) -> Admission {
        let inner = self.lock();
        if inner.closed || inner.waiting() >= MOST {
            Admission::Nothing
        } else if inner.failing {
            Admission::Reads
        } else {
            Admission::All
        }
    }

    /// Waits until there is something to write, or `at_most` has passed, and then a little so that
    /// a group comes together, unless somebody waits for a record.
    pub(super) fn wait(&self, at_most: Duration, now: impl FnOnce() -> Duration) -> Turn {
        let idle = |inner: &mut Inner| inner.is_idle();
        let waited = self.wake.wait_timeout_while(self.lock(), at_most, idle);
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (pause, calm) = (inner.pause(), |inner: &mut Inner| !inner.is_urgent());
        let waited = self.wake.wait_timeout_while(inner, pause, calm);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inner.urgent = false;
        #[cfg(test)]
        {
            inner.tries += 1;
        }
        let records = std::mem::take(&mut inner.records);
        inner.taken += records.len();
        let closing = inner.closing;
        let counted = inner.flood.take((!closing).then(now));
        Turn { records, counted, closing }
    }

    /// `count` records are on the disk, and what waits can follow them.
    pub(super) fn written(&self, count: usize) {
        let mut inner = self.lock();
        inner.taken = inner.taken.saturating_sub(count);
        inner.failing = false;
    }

    /// The log is another than it was.
    pub(super) fn tell(&self, update: impl FnOnce(&mut Status)) {
        update(&mut self.lock().status);
    }

    /// How often the writer has begun.
    #[cfg(test)]
    pub(super) fn tries(&self) -> u64 {
        self.lock().tries
    }

    /// Whether the disk refused what was written last.
    pub(super) fn is_failing(&self) -> bool {
        self.lock().failing
    }

    /// The disk does not take them; they wait on.
    pub(super) fn failed(&self) -> bool {
        !std::mem::replace(&mut self.lock().failing, true)
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Nobody writes any more; `lost` records never will be.
    pub(super) fn closed(&self, lost: usize) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.lost += lost as u64 + inner.records.len() as u64;
        inner.records.clear();
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.lock();
        Status {
            waiting: inner.waiting(),
            lost: inner.lost,
            writable: !inner.failing && !inner.closed,
            ..inner.status.clone()
        }
    }
}

impl Inner {
    fn waiting(&self) -> usize {
        self.records.len() + self.taken
    }

    /// Nothing to do at all.
    fn is_idle(&self) -> bool {
        !(self.closing || self.failing || self.flood.has_counted()) && self.records.is_empty()
    }

    /// Somebody waits, and there is hope.
    fn is_urgent(&self) -> bool {
        self.closing || self.urgent && !self.failing
    }

    /// How long a group is gathered.
    fn pause(&self) -> Duration {
        if self.failing {
            AGAIN
        } else if !self.records.is_empty() {
            GATHER
        } else if self.flood.has_counted() {
            TOLD
        } else {
            Duration::ZERO
        }
    }
}
