//! One live key: its record, whether it works, and the token that is cancelled when it stops.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Proof, marks::Marks};
use crate::domain::{clock::Clock, key::KeyRecord, last_use::LastUse};

/// A live key: its record, and the token that is cancelled when it is revoked or expires.
#[derive(Debug)]
pub struct Key {
    /// What is known of it.
    pub record: KeyRecord,
    /// Cancelled at the moment the key stops working (I9).
    pub gone: CancellationToken,
    /// Shared with the record's later versions.
    marks: Arc<Marks>,
    /// The newest first; keys from the environment and callers without a key have none.
    proofs: Box<[Arc<Proof>]>,
}

impl Key {
    /// A key that was made and can be verified.
    pub(in crate::registry) fn made(
        record: KeyRecord,
        proofs: Vec<Arc<Proof>>,
        last_use: Option<LastUse>,
    ) -> Self {
        let gone = CancellationToken::new();
        if record.revoked_at.is_some() {
            gone.cancel();
        }
        Self { record, gone, marks: Arc::new(Marks::of(last_use)), proofs: proofs.into() }
    }

    /// A caller that no stored key stands for: an environment key, the control socket, or
    /// everybody when authentication is off. It grants nothing by itself: only `auth` makes a
    /// principal of a key.
    #[must_use]
    pub fn unlisted(record: KeyRecord) -> Self {
        let gone = CancellationToken::new();
        Self { record, gone, marks: Arc::default(), proofs: Box::default() }
    }

    /// The same key, revoked; it shares token and marks with this one.
    pub(super) fn revoked(&self, at: Timestamp) -> Self {
        Self {
            record: KeyRecord { revoked_at: Some(at), ..self.record.clone() },
            ..self.with(self.proofs.clone())
        }
    }

    /// The same key with these secrets; it shares token and marks with this one.
    pub(super) fn with(&self, proofs: Box<[Arc<Proof>]>) -> Self {
        Self {
            record: self.record.clone(),
            gone: self.gone.clone(),
            marks: Arc::clone(&self.marks),
            proofs,
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

    /// Notes that the key was used.
    pub fn mark_used(&self, now: Timestamp, address: IpAddr) {
        self.marks.used(now, address);
    }

    /// Notes what the client of its last use calls itself.
    pub fn mark_client(&self, client: &str) {
        self.marks.by(client);
    }

    /// Its last use; the time is to the minute.
    #[must_use]
    pub fn last_use(&self) -> Option<LastUse> {
        self.marks.last()
    }

    /// Until when its secret from before the present one works, if there is one that does.
    #[must_use]
    pub fn old_secret_until(&self, now: Timestamp) -> Option<Timestamp> {
        let old = self.proofs.iter().skip(1).filter(|proof| !proof.is_over(now));
        old.filter_map(|proof| proof.ends_at()).max()
    }

    /// How its secrets are recognised; the rooms `registry` and `auth` are the only readers.
    pub(crate) fn proofs(&self) -> &[Arc<Proof>] {
        &self.proofs
    }
}
