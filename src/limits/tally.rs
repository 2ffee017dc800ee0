//! Where `governor` keeps its one number a key: when the bucket will be full again.
//!
//! Two views of the same numbers. [`Counting`] is the ordinary store; [`Looking`] answers the
//! same question and changes nothing, which `governor` itself cannot do.

use std::{fmt, hash::Hash, sync::Arc};

use governor::{
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};

use super::shards::Shards;

/// The numbers, shared by the two views.
pub(super) type Numbers<K> = Arc<Shards<K, Nanos>>;

/// The view that counts.
pub(super) struct Counting<K>(pub(super) Numbers<K>);

/// The view that only looks.
pub(super) struct Looking<K>(pub(super) Numbers<K>);

impl<K: Hash + Eq + Clone> StateStore for Counting<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Decided and written under one lock: two requests never take the same token.
        self.0.with(key, |numbers| {
            if let Some(number) = numbers.get_mut(key) {
                let (answer, new) = decide(Some(*number))?;
                *number = new;
                return Ok(answer);
            }
            let (answer, new) = decide(None)?;
            numbers.insert(key.clone(), new);
            Ok(answer)
        })
    }
}

impl<K: Hash + Eq + Clone> StateStore for Looking<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let number = self.0.with(key, |numbers| numbers.get(key).copied());
        decide(number).map(|(answer, _)| answer)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Counting<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain(|_, number| *number > drop_below);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K> fmt::Debug for Counting<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

impl<K> fmt::Debug for Looking<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Looking")
    }
}
