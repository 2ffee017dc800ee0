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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        clock::ManualClock,
        key::{KeyRecord, Role},
        random::OsEntropy,
    };
    use crate::registry::fingerprint::Fingerprints;

    fn key(id: &KeyId, clock: &dyn Clock) -> Arc<Key> {
        Arc::new(Key::unlisted(KeyRecord {
            id: id.clone(),
            role: Role::Operator,
            tenant: None,
            name: String::new(),
            packs: None,
            act_as: Vec::new(),
            created_at: clock.now(),
            expires_at: None,
            revoked_at: None,
        }))
    }

    #[test]
    fn an_entry_is_for_one_text_and_goes_when_told_and_the_number_is_bounded() {
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let settings = Auth { cache_capacity: 5, ..Auth::default() };
        let cache = Verified::new(&settings, clock.clone());
        let (texts, id) = (Fingerprints::random(&OsEntropy), KeyId::random(&OsEntropy));

        cache.remember(id.clone(), texts.of("right"), key(&id, clock.as_ref()));
        assert_eq!(cache.recall(&id, &texts.of("right")).unwrap().record.id, id);
        assert!(cache.recall(&id, &texts.of("wrong")).is_none());
        assert!(cache.recall(&id, &texts.of("right")).is_some(), "a wrong text drops nothing");
        cache.forget(&id);
        assert!(cache.recall(&id, &texts.of("right")).is_none());

        for _ in 0..100 {
            let id = KeyId::random(&OsEntropy);
            cache.remember(id.clone(), texts.of("right"), key(&id, clock.as_ref()));
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.entry_count() <= 5);
    }
}
