//! One request, one record: who will write it.
//!
//! The slot is made where a request comes in and rides on it. Whoever is about to decide about a
//! memory claims it; what nobody has claimed when the request ends is recorded there.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use super::Outcome;

/// Who records a request, and what is known of it meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    claimed: AtomicBool,
    method: OnceLock<&'static str>,
    failed: OnceLock<Outcome>,
}

impl Slot {
    /// Takes it upon the caller to record this request. False when somebody has done so before.
    #[must_use]
    pub fn claim(&self) -> bool {
        !self.0.claimed.swap(true, Ordering::Relaxed)
    }

    /// Whether somebody records this request.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.0.claimed.load(Ordering::Relaxed)
    }

    /// The message in the request has this method, a name that we know.
    pub fn speaks_of(&self, method: &'static str) {
        let _ = self.0.method.set(method);
    }

    /// The same.
    #[must_use]
    pub fn method(&self) -> Option<&'static str> {
        self.0.method.get().copied()
    }

    /// The message was answered with an error, whatever the HTTP status says: JSON-RPC has most of
    /// its errors inside a 200. What was said first stays.
    pub fn failed(&self, outcome: Outcome) {
        let _ = self.0.failed.set(outcome);
    }

    /// The same.
    #[must_use]
    pub fn failure(&self) -> Option<Outcome> {
        self.0.failed.get().copied()
    }
}

/// What an administrative request made, changed or ended: its public id. Rides on the answer, to
/// the place where it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(pub String);
