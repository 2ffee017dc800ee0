//! A map that many requests change at once, cut into pieces with a lock each.
//!
//! No lock is held over anything but the closure that is handed in, and the number of entries
//! is known without taking one: the limits here and the address shield in `http` use that to
//! stay bounded.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Pieces; a power of two well above the number of cores.
const PIECES: usize = 64;

/// A map in pieces. The hash is keyed at random, so nobody outside can aim at one piece.
#[derive(Debug)]
pub struct Shards<K, V> {
    pieces: Box<[Mutex<HashMap<K, V>>]>,
    hasher: RandomState,
    entries: AtomicUsize,
}

impl<K: Hash + Eq, V> Shards<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pieces: (0..PIECES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            entries: AtomicUsize::new(0),
        }
    }

    /// Runs `act` on the piece that `key` belongs to; it may look up, insert and remove.
    pub fn with<R>(&self, key: &K, act: impl FnOnce(&mut HashMap<K, V>) -> R) -> R {
        let piece = self.hasher.hash_one(key) % PIECES as u64;
        #[expect(clippy::cast_possible_truncation, reason = "it is below `PIECES`")]
        self.change(&self.pieces[piece as usize], act)
    }

    /// Keeps only what `keep` accepts, one piece after the other.
    pub fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for piece in &self.pieces {
            self.change(piece, |map| {
                map.retain(&mut keep);
                // A flood's memory is given back once it is over.
                if map.capacity() > 64 && map.len() < map.capacity() / 4 {
                    map.shrink_to(map.len() * 2);
                }
            });
        }
    }

    /// Entries in all pieces. Another thread may be changing it while it is read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change<R>(
        &self,
        piece: &Mutex<HashMap<K, V>>,
        act: impl FnOnce(&mut HashMap<K, V>) -> R,
    ) -> R {
        let mut map = piece.lock().unwrap_or_else(PoisonError::into_inner);
        let before = map.len();
        let result = act(&mut map);
        let after = map.len();
        if after > before {
            self.entries.fetch_add(after - before, Ordering::Relaxed);
        } else if before > after {
            self.entries.fetch_sub(before - after, Ordering::Relaxed);
        }
        result
    }
}

impl<K: Hash + Eq, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_entries_follows_every_change() {
        let map = Shards::new();
        for n in 0..1000_u32 {
            map.with(&n, |piece| piece.insert(n, n));
            map.with(&n, |piece| piece.insert(n, n + 1));
        }
        assert_eq!(map.len(), 1000);
        map.with(&7, |piece| piece.remove(&7));
        assert_eq!(map.len(), 999);
        map.retain(|_, value| *value > 500);
        assert_eq!(map.len(), 500);
        map.retain(|_, _| false);
        assert!(map.is_empty());
    }
}
