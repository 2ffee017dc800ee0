//! The one who writes: takes what waits, group by group, until it is told to close.

use std::{mem, sync::Arc, time::Duration};

use super::queue::{Queue, Turn, Waiting};
use crate::{
    audit::{Event, Log, Outcome, Record, log::GROUP},
    domain::{Error, clock::Clock},
};

/// Between two looks for files that are older than they are kept.
const PRUNE: Duration = Duration::from_mins(1);

/// Writes to the log.
pub(super) struct Writer {
    log: Log,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    /// Taken, and not on the disk yet.
    pending: Vec<Waiting>,
    signed_at: Duration,
    pruned_at: Option<Duration>,
}

impl Writer {
    pub(super) fn new(log: Log, queue: Arc<Queue>, clock: Arc<dyn Clock>) -> Self {
        let signed_at = clock.monotonic();
        Self { log, queue, clock, pending: Vec::new(), signed_at, pruned_at: None }
    }

    /// Until it is told to close.
    pub(super) fn run(mut self) {
        loop {
            let interval = self.log.checkpoint_interval();
            let since = self.clock.monotonic().saturating_sub(self.signed_at);
            let Turn { records, counted, closing } =
                self.queue.wait(interval.saturating_sub(since), || self.clock.monotonic());
            self.pending.extend(records);
            if let Some(text) = counted {
                self.tell_counted(text);
            }
            self.write();
            if closing {
                if let Err(error) = self.log.close() {
                    self.failed(&error);
                }
                self.tell();
                self.queue.closed(self.pending.len());
                return;
            }
            let now = self.clock.monotonic();
            // A signature that failed is tried again as soon as a record would be.
            if now.saturating_sub(self.signed_at) >= interval || self.queue.is_failing() {
                self.sign();
                self.signed_at = now;
            }
            if self.pruned_at.is_none_or(|at| now.saturating_sub(at) >= PRUNE) {
                self.prune();
                self.pruned_at = Some(now);
            }
        }
    }

    /// Everything that waits, or what goes before the disk says no.
    fn write(&mut self) {
        while !self.pending.is_empty() {
            let count = self.pending.len().min(GROUP);
            let group = &mut self.pending[..count];
            let durable = group.iter().any(|waiting| waiting.done.is_some());
            let objects: Vec<_> =
                group.iter_mut().map(|waiting| mem::take(&mut waiting.object)).collect();
            let written = self.log.append(&objects, durable);
            if let Err(error) = written {
                for (waiting, object) in group.iter_mut().zip(objects) {
                    waiting.object = object;
                }
                // First: whoever hears of it must find that nothing is admitted any more.
                self.failed(&error);
                // Dropped, they say that it failed. The records stay and are written later.
                self.pending.iter_mut().for_each(|waiting| drop(waiting.done.take()));
                return;
            }
            self.queue.written(count);
            self.tell();
            for waiting in self.pending.drain(..count) {
                // Who went away meanwhile does not want to know.
                let _ = waiting.done.map(|done| done.send(()));
            }
        }
    }

    /// SECURITY: only what was written clears the way for changes, never that there was nothing to
    /// write (`i10_a_disk_that_is_full_stays_so`).
    fn sign(&mut self) {
        match self.log.checkpoint() {
            Err(error) => self.failed(&error),
            Ok(()) if self.pending.is_empty() => self.queue.written(0),
            Ok(()) => {}
        }
        self.tell();
    }

    fn prune(&mut self) {
        if let Err(error) = self.log.prune() {
            tracing::error!(target: "memgate::audit", %error, "old audit records were not removed");
        }
        self.tell();
    }

    fn failed(&self, error: &Error) {
        if self.queue.failed() {
            tracing::error!(target: "memgate::audit", %error, "nothing can be changed until the audit log can be written");
        }
    }

    fn tell(&self) {
        let log = &self.log;
        self.queue.tell(|status| {
            (status.head, status.signed) = (log.last(), log.signed());
            if status.trouble.len() != log.trouble().len() {
                status.trouble = log.trouble().to_vec();
            }
        });
    }

    fn tell_counted(&mut self, text: String) {
        let record = Record {
            detail: Some(text.into()),
            ..Record::new(Event::Repeated, "refusals", Outcome::Denied)
        };
        match record.object(self.clock.now()) {
            Ok(object) => self.pending.push(Waiting { object, done: None }),
            Err(error) => tracing::error!(%error, "a record could not be made"),
        }
    }
}
