//! One live key: its record, whether it works, and the token that is cancelled when it stops.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Proof;
use crate::domain::{clock::Clock, key::KeyRecord};

/// Seconds between two marks of a key's last use: exact enough for people, and rare enough to
/// be written.
const MARK_SECONDS: i64 = 60;

/// A live key: its record, and the token that is cancelled when it is revoked or expires.
#[derive(Debug)]
pub struct Key {
    /// What is known of it.
    pub record: KeyRecord,
    /// Cancelled at the moment the key stops working (I9).
    pub gone: CancellationToken,
    /// Minutes since 1970, 0 for never; shared with the record's later versions.
    used: Arc<AtomicI64>,
    /// Keys from the environment and callers without a key have none.
    proof: Option<Arc<Proof>>,
}

impl Key {
    /// A key that was made and can be verified.
    pub(in crate::registry) fn made(
        record: KeyRecord,
        proof: Proof,
        last_used: Option<Timestamp>,
    ) -> Self {
        let gone = CancellationToken::new();
        if record.revoked_at.is_some() {
            gone.cancel();
        }
        let used = last_used.map_or(0, |at| at.as_second() / MARK_SECONDS);
        Self { record, gone, used: Arc::new(AtomicI64::new(used)), proof: Some(Arc::new(proof)) }
    }

    /// A caller that no stored key stands for: an environment key, the control socket, or
    /// everybody when authentication is off. It grants nothing by itself: only `auth` makes a
    /// principal of a key.
    #[must_use]
    pub fn unlisted(record: KeyRecord) -> Self {
        let gone = CancellationToken::new();
        Self { record, gone, used: Arc::default(), proof: None }
    }

    /// The same key, revoked; it shares token and marks with this one.
    pub(super) fn revoked(&self, at: Timestamp) -> Self {
        Self {
            record: KeyRecord { revoked_at: Some(at), ..self.record.clone() },
            gone: self.gone.clone(),
            used: Arc::clone(&self.used),
            proof: self.proof.clone(),
        }
    }

    /// Whether the key works now. INVARIANT I9: asked on every use, remembered or not; a key
    /// past its date is gone from the first look on, whatever the clock does later.
    /// Test: `i9_an_expired_key_is_refused_at_once`.
    #[must_use]
    pub fn works(&self, clock: &dyn Clock) -> bool {
        if self.record.expires_at.is_some_and(|end| end <= clock.now()) {
            self.gone.cancel();
        }
        !self.gone.is_cancelled()
    }

    /// Notes that the key was used; costs a load but for once a minute.
    pub fn mark_used(&self, now: Timestamp) {
        let minute = now.as_second() / MARK_SECONDS;
        if self.used.load(Ordering::Relaxed) < minute {
            self.used.store(minute, Ordering::Relaxed);
        }
    }

    /// When it was last used, to the minute.
    #[must_use]
    pub fn last_used(&self) -> Option<Timestamp> {
        match self.used.load(Ordering::Relaxed) {
            0 => None,
            minute => Timestamp::from_second(minute.saturating_mul(MARK_SECONDS)).ok(),
        }
    }

    /// How its secret is recognised; the rooms `registry` and `auth` are the only readers.
    pub(crate) fn proof(&self) -> Option<&Arc<Proof>> {
        self.proof.as_ref()
    }
}
