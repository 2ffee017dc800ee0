//! Tokens that were verified once, so that the signature stays off the path of a request.
//!
//! An entry says: the text with this fingerprint is good, and this is its holder. It is good as
//! long as its key is among the issuer's keys and its date has not come, which is asked every
//! time. Every holder is watched until its date, whether it is remembered or not, because
//! streams hang on it (I9).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use moka::sync::Cache;

use crate::{
    domain::{clock::Clock, key::KeyRecord, scope::Scopes},
    registry::{fingerprint::Fingerprint, keyring::Key},
};

/// Where the issuer stands in the list, and its key that signed.
#[derive(Debug, Clone, Copy)]
pub(in crate::auth) struct SignedBy {
    pub(in crate::auth) issuer: usize,
    pub(in crate::auth) digest: [u8; 32],
}

/// A token that is good.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Good {
    pub(in crate::auth) key: Arc<Key>,
    pub(in crate::auth) scopes: Scopes,
    pub(in crate::auth) by: SignedBy,
}

/// The good tokens.
#[derive(Debug)]
pub(in crate::auth) struct Remembered {
    entries: Cache<Fingerprint, Good>,
    holders: Mutex<HashMap<Fingerprint, (Weak<Key>, SignedBy)>>,
}

impl Remembered {
    /// Remembers so many at most.
    pub(in crate::auth) fn new(capacity: u64) -> Self {
        Self { entries: Cache::new(capacity), holders: Mutex::default() }
    }

    /// What is remembered of the text with this fingerprint.
    pub(in crate::auth) fn recall(&self, text: &Fingerprint) -> Option<Good> {
        self.entries.get(text)
    }

    /// Remembers a token. Requests that verified it at the same time get one holder.
    pub(in crate::auth) fn remember(
        &self,
        text: Fingerprint,
        record: KeyRecord,
        scopes: Scopes,
        by: SignedBy,
    ) -> Good {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = holders.get(&text).and_then(|(key, _)| key.upgrade());
        let key = known
            .filter(|key| !key.gone.is_cancelled())
            .unwrap_or_else(|| Arc::new(Key::unlisted(record)));
        holders.insert(text, (Arc::downgrade(&key), by));
        drop(holders);
        let good = Good { key, scopes, by };
        self.entries.insert(text, good.clone());
        good
    }

    /// Forgets one, because it is good no more.
    pub(in crate::auth) fn forget(&self, text: &Fingerprint) {
        self.entries.invalidate(text);
    }

    /// Forgets all; whoever comes again is verified again.
    pub(in crate::auth) fn forget_all(&self) {
        self.entries.invalidate_all();
    }

    /// INVARIANT I9: ends what hangs on a token whose date has come or whose key is no longer
    /// its issuer's. Test: `i9_what_hangs_on_a_token_ends_with_it`.
    pub(in crate::auth) fn sweep(&self, clock: &dyn Clock, is_good: impl Fn(&SignedBy) -> bool) {
        let mut ended = Vec::new();
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|text, (key, by)| {
            let Some(key) = key.upgrade() else { return false };
            if is_good(by) && key.works(clock) {
                return true;
            }
            ended.push((*text, key));
            false
        });
        drop(holders);
        for (text, key) in ended {
            key.gone.cancel();
            self.forget(&text);
        }
    }
}
