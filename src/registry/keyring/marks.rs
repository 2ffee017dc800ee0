//! The marks that a key's uses leave: a few atomics on the path of a request, written in batches.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use crate::domain::last_use::LastUse;

/// Seconds between two marks of a key's last use: exact enough for people, and rare enough to
/// be written.
const MARK_SECONDS: i64 = 60;

/// When, from where and by what a key was used last.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Minutes since 1970, 0 for never.
    minute: AtomicI64,
    address: ArcSwapOption<IpAddr>,
    client: ArcSwapOption<String>,
}

impl Marks {
    /// As they were written down.
    pub(super) fn of(last: Option<LastUse>) -> Self {
        let Some(last) = last else { return Self::default() };
        Self {
            minute: AtomicI64::new(last.at.as_second() / MARK_SECONDS),
            address: ArcSwapOption::from_pointee(last.address),
            client: ArcSwapOption::from_pointee(last.client),
        }
    }

    /// A use; costs two loads where nothing is new.
    pub(super) fn used(&self, now: Timestamp, address: IpAddr) {
        let minute = now.as_second() / MARK_SECONDS;
        if self.minute.load(Ordering::Relaxed) < minute {
            self.minute.store(minute, Ordering::Relaxed);
        }
        if self.address.load().as_deref() != Some(&address) {
            self.address.store(Some(Arc::new(address)));
        }
    }

    /// What the client of the use calls itself, which is known later.
    pub(super) fn by(&self, client: &str) {
        let known = self.client.load();
        if !client.is_empty() && known.as_deref().map(String::as_str) != Some(client) {
            self.client.store(Some(Arc::new(client.to_owned())));
        }
    }

    /// The last use.
    pub(super) fn last(&self) -> Option<LastUse> {
        let minute = self.minute.load(Ordering::Relaxed);
        let at = Timestamp::from_second(minute.saturating_mul(MARK_SECONDS)).ok()?;
        (minute != 0).then(|| LastUse {
            at,
            address: self.address.load().as_deref().copied(),
            client: self.client.load().as_deref().cloned(),
        })
    }
}
