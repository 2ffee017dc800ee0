//! The keys that verified once, so that argon2 stays off the path of a request.
//!
//! An entry says: the text with this fingerprint is key so-and-so. It does not say that the key
//! still works, so a stale one can do no harm; it is dropped on revocation all the same. One
//! entry a key, a bounded number, for a bounded time.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    config::auth::Auth,
    domain::{clock::Clock, key::KeyId},
    registry::{fingerprint::Fingerprint, keyring::Key},
};

/// Remembered keys.
#[derive(Debug)]
pub(in crate::auth) struct Verified {
    entries: Cache<KeyId, Entry>,
    /// Kept here and not by the cache, whose clock is not ours.
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone)]
struct Entry {
    fingerprint: Fingerprint,
    key: Arc<Key>,
    since: Duration,
}

impl Verified {
    pub(in crate::auth) fn new(settings: &Auth, clock: Arc<dyn Clock>) -> Self {
        Self { entries: Cache::new(settings.cache_capacity), ttl: settings.cache_ttl, clock }
    }

    /// The key that this text was verified for.
    pub(in crate::auth) fn recall(&self, id: &KeyId, text: &Fingerprint) -> Option<Arc<Key>> {
        let entry = self.entries.get(id)?;
        let age = self.clock.monotonic().saturating_sub(entry.since);
        if age >= self.ttl {
            self.entries.invalidate(id);
            return None;
        }
        (entry.fingerprint == *text).then_some(entry.key)
    }

    pub(in crate::auth) fn remember(&self, id: KeyId, fingerprint: Fingerprint, key: Arc<Key>) {
        self.entries.insert(id, Entry { fingerprint, key, since: self.clock.monotonic() });
    }

    pub(in crate::auth) fn forget(&self, id: &KeyId) {
        self.entries.invalidate(id);
    }

    #[cfg(test)]
    pub(in crate::auth) fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }
}
