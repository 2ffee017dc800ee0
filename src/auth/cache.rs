//! The keys that verified once, so that argon2 stays off the path of a request.
//!
//! An entry says: the text with this fingerprint is a secret of key so-and-so. It does not say
//! that key or secret still work, so a stale one can do no harm; it is dropped on revocation all
//! the same. One entry a key, with both secrets of a key that goes over to a new one; a bounded
//! number, for a bounded time.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;

use crate::{
    config::auth::Auth,
    domain::{clock::Clock, key::KeyId},
    registry::{
        fingerprint::Fingerprint,
        keyring::{Key, Proof},
    },
};

/// Secrets of one key that are remembered at once: the present one, and the one before it.
const MAX_TEXTS: usize = 2;

/// Remembered keys.
#[derive(Debug)]
pub(in crate::auth) struct Verified {
    entries: Cache<KeyId, Entry>,
    /// Kept here and not by the cache, whose clock is not ours.
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

/// A key and the secret that it was recognised by.
pub(in crate::auth) type Known = (Arc<Key>, Arc<Proof>);

#[derive(Debug, Clone)]
struct Text {
    fingerprint: Fingerprint,
    known: Known,
    since: Duration,
}

/// The newest last.
type Entry = Arc<[Text]>;

impl Verified {
    pub(in crate::auth) fn new(settings: &Auth, clock: Arc<dyn Clock>) -> Self {
        Self { entries: Cache::new(settings.cache_capacity), ttl: settings.cache_ttl, clock }
    }

    /// What this text was verified for.
    pub(in crate::auth) fn recall(&self, id: &KeyId, text: &Fingerprint) -> Option<Known> {
        let entry = self.entries.get(id)?;
        let found = entry.iter().find(|known| known.fingerprint == *text)?;
        let age = self.clock.monotonic().saturating_sub(found.since);
        if age >= self.ttl {
            self.entries.invalidate(id);
            return None;
        }
        Some(found.known.clone())
    }

    pub(in crate::auth) fn remember(&self, id: KeyId, fingerprint: Fingerprint, known: Known) {
        let text = Text { fingerprint, known, since: self.clock.monotonic() };
        // In one step, so that two secrets that are verified at once are both remembered.
        self.entries.entry(id).and_upsert_with(|entry| {
            let before = entry.as_ref().map_or(&[][..], |entry| &**entry.value());
            let others = before.iter().filter(|known| known.fingerprint != fingerprint);
            let mut texts: Vec<_> = others.cloned().collect();
            let most = texts.len().saturating_sub(MAX_TEXTS - 1);
            texts.drain(..most);
            texts.push(text);
            texts.into()
        });
    }

    pub(in crate::auth) fn forget(&self, id: &KeyId) {
        self.entries.invalidate(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::testing::World, domain::random::OsEntropy, registry::fingerprint::Fingerprints,
    };

    #[test]
    fn an_entry_is_for_two_texts_and_goes_when_told_and_the_number_is_bounded() {
        let world = World::new();
        let settings = Auth { cache_capacity: 5, ..Auth::default() };
        let cache = Verified::new(&settings, world.clock.clone());
        let texts = Fingerprints::random(&OsEntropy);
        let (key, _) = world.key(world.agent_key("acme"));
        let id = key.record.id.clone();
        let known = || (Arc::clone(&key), Arc::clone(&key.proofs()[0]));
        let recall = |text: &str| cache.recall(&id, &texts.of(text)).is_some();

        cache.remember(id.clone(), texts.of("right"), known());
        assert!(recall("right") && !recall("wrong"));
        assert!(recall("right"), "a wrong text drops nothing");
        cache.remember(id.clone(), texts.of("new"), known());
        cache.remember(id.clone(), texts.of("new"), known());
        assert!(recall("right") && recall("new"), "both secrets of a change");
        cache.remember(id.clone(), texts.of("newer"), known());
        assert!(!recall("right") && recall("new") && recall("newer"), "the oldest goes");
        cache.forget(&id);
        assert!(!recall("new") && !recall("newer"));

        for _ in 0..100 {
            cache.remember(KeyId::random(&OsEntropy), texts.of("right"), known());
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.entry_count() <= 5);
    }
}
