//! One limit over many keys: `governor`'s arithmetic, our memory bound, our answer.
//!
//! What must stay true: a refused request counts nothing; the answer's `remaining` and
//! `retry_after` are what the next question would find; the map never holds more than
//! `capacity` keys, and a key that has no room is refused, not waved through (I3).

use std::{hash::Hash, sync::Arc, time::Duration};

use governor::{RateLimiter, clock::Clock as _, middleware::StateInformationMiddleware};

use super::{
    Decision,
    pace::Pace,
    shards::Shards,
    tally::{Counting, Looking, Numbers},
    ticks::{Ticks, quota},
};
use crate::domain::{
    clock::Clock,
    limits::{Class, Rate},
};

type Limiter<K, S> = RateLimiter<K, S, Ticks, StateInformationMiddleware>;

/// A limit and its state for every key.
#[derive(Debug)]
pub(super) struct Meter<K: Hash + Eq + Clone> {
    class: Class,
    rate: Rate,
    counting: Limiter<K, Counting<K>>,
    looking: Limiter<K, Looking<K>>,
    numbers: Numbers<K>,
    capacity: usize,
    searches: Pace,
}

impl<K: Hash + Eq + Clone> Meter<K> {
    pub(super) fn new(class: Class, rate: Rate, capacity: usize, clock: Arc<dyn Clock>) -> Self {
        let numbers = Arc::new(Shards::new());
        let ticks = Ticks(clock);
        // The order matters: a limiter's time starts when it is made, so the second one is a
        // few nanoseconds behind and errs towards waiting.
        let counting = RateLimiter::new(quota(rate), Counting(numbers.clone()), ticks.clone());
        let looking = RateLimiter::new(quota(rate), Looking(numbers.clone()), ticks);
        let searches = Pace::default();
        Self { class, rate, counting, looking, numbers, capacity, searches }
    }

    /// Counts one, if it is allowed.
    pub(super) fn count(&self, key: &K) -> Decision {
        if !self.has_room(key) {
            return self.refused(Pace::BETWEEN);
        }
        match self.counting.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let retry_after =
                    if remaining == 0 { self.look(key).retry_after } else { Duration::ZERO };
                self.allowed(remaining, retry_after)
            }
            Err(until) => self.refused(until.wait_time_from(self.counting.clock().now())),
        }
    }

    /// What [`Meter::count`] would say before it counted: `remaining` includes the one asked
    /// about.
    pub(super) fn look(&self, key: &K) -> Decision {
        if !self.has_room(key) {
            return self.refused(Pace::BETWEEN);
        }
        match self.looking.check_key(key) {
            Ok(state) => self.allowed(state.remaining_burst_capacity() + 1, Duration::ZERO),
            Err(until) => self.refused(until.wait_time_from(self.looking.clock().now())),
        }
    }

    /// Forgets keys whose buckets are full again.
    pub(super) fn sweep(&self) {
        self.counting.retain_recent();
    }

    /// Keys remembered.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    fn has_room(&self, key: &K) -> bool {
        self.len() < self.capacity
            || self.numbers.with(key, |numbers| numbers.contains_key(key))
            || self.search_for_room()
    }

    fn search_for_room(&self) -> bool {
        if self.searches.due(self.counting.clock().now()) {
            self.sweep();
        }
        self.len() < self.capacity
    }

    fn allowed(&self, remaining: u32, retry_after: Duration) -> Decision {
        let Self { class, rate, .. } = *self;
        Decision { class, rate, allowed: true, remaining, retry_after }
    }

    fn refused(&self, retry_after: Duration) -> Decision {
        let Self { class, rate, .. } = *self;
        Decision { class, rate, allowed: false, remaining: 0, retry_after }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::clock::ManualClock;

    fn meter(requests: u32, seconds: u64, capacity: usize) -> (Meter<u32>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let rate = Rate::new(requests, seconds);
        (Meter::new(Class::Requests, rate, capacity, clock.clone()), clock)
    }

    #[test]
    fn the_101st_of_100_is_refused_and_nobody_else_notices() {
        let (meter, clock) = meter(100, 3600, 10);
        for n in (0..100).rev() {
            let decision = meter.count(&1);
            assert!(decision.allowed);
            assert_eq!(decision.remaining, n);
        }
        for _ in 0..1000 {
            let decision = meter.count(&1);
            assert!(!decision.allowed);
            assert_eq!(decision.remaining, 0);
            assert_eq!(decision.retry_after, Duration::from_secs(36));
        }
        assert_eq!(meter.count(&2).remaining, 99);
        // A refusal costs nothing: after exactly one interval there is exactly one more.
        clock.advance(Duration::from_secs(36) - Duration::from_nanos(1));
        assert_eq!(meter.count(&1).retry_after, Duration::from_nanos(1));
        clock.advance(Duration::from_nanos(1));
        assert!(meter.count(&1).allowed);
        assert!(!meter.count(&1).allowed);
    }

    #[test]
    fn looking_counts_nothing() {
        let (meter, _) = meter(2, 10, 10);
        for _ in 0..10 {
            assert_eq!(meter.look(&1).remaining, 2);
        }
        assert_eq!(meter.len(), 0);
        assert_eq!(meter.count(&1).remaining, 1);
        assert_eq!(meter.look(&1).remaining, 1);
        assert_eq!(meter.count(&1).retry_after, Duration::from_secs(5));
        assert!(!meter.look(&1).allowed);
    }

    #[test]
    fn i3_a_key_without_room_is_refused_and_a_known_one_is_not() {
        let (meter, clock) = meter(10, 10, 3);
        for key in 0..3 {
            assert!(meter.count(&key).allowed);
        }
        assert!(!meter.count(&3).allowed);
        assert!(!meter.look(&3).allowed);
        assert_eq!(meter.len(), 3);
        assert!(meter.count(&0).allowed);
        // Once their buckets are full again the idle ones make room.
        clock.advance(Duration::from_secs(5));
        assert!(meter.count(&3).allowed);
        assert_eq!(meter.len(), 1);
    }

    #[test]
    fn a_sweep_forgets_full_buckets_only() {
        let (meter, clock) = meter(2, 10, 100);
        meter.count(&1);
        clock.advance(Duration::from_secs(8));
        meter.count(&2);
        meter.count(&2);
        clock.advance(Duration::from_secs(4));
        meter.sweep();
        assert_eq!(meter.len(), 1);
        assert!(!meter.count(&2).allowed);
    }

    /// The simplest thing that could be right: a bucket of nanoseconds that fills with time.
    struct Model {
        held: u128,
        every: u128,
        full: u128,
    }

    impl Model {
        fn pass(&mut self, time: Duration) {
            self.held = self.full.min(self.held + time.as_nanos());
        }

        fn count(&mut self) -> (bool, u32, Duration) {
            let allowed = self.held >= self.every;
            if allowed {
                self.held -= self.every;
            }
            let remaining = u32::try_from(self.held / self.every).unwrap();
            let wait = if remaining > 0 { 0 } else { self.every - self.held };
            (allowed, remaining, Duration::from_nanos(u64::try_from(wait).unwrap()))
        }
    }

    proptest! {
        #[test]
        fn it_counts_like_a_bucket_of_nanoseconds(
            requests in 1_u32..50,
            seconds in 1_u64..4000,
            steps in prop::collection::vec((0_u32..3, 0_u64..20_000, any::<bool>()), 1..300),
        ) {
            let (meter, clock) = meter(requests, seconds, 100);
            let every = (Duration::from_secs(seconds) / requests).as_nanos();
            let full = every * u128::from(requests);
            let mut models = [(); 3].map(|()| Model { held: full, every, full });
            for (key, wait_ms, sweep) in steps {
                let wait = Duration::from_millis(wait_ms);
                clock.advance(wait);
                for model in &mut models {
                    model.pass(wait);
                }
                if sweep {
                    meter.sweep();
                }
                let said = meter.count(&key);
                let model = models[key as usize].count();
                prop_assert_eq!((said.allowed, said.remaining, said.retry_after), model);
            }
        }
    }
}
