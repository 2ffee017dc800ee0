//! Durations in fixed buckets: one atomic addition to record, no lock, no allocation.
//!
//! Every power of two of microseconds is cut into eight, so a percentile is at most 12.5 % above
//! the truth. It is never below it: a bucket answers with its upper bound, so that no latency is
//! made to look better than it was.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Serialize;

/// Each power of two is cut into `1 << PARTS_BITS` buckets.
const PARTS_BITS: u32 = 3;
/// Buckets in one power of two.
const PARTS: usize = 1 << PARTS_BITS;
/// The last power of two that has buckets: 2^32 µs is over an hour, longer than any deadline.
const LAST_POWER: usize = 32;
/// Values under `PARTS` have a bucket each; every power of two after that has `PARTS`.
const BUCKETS: usize = PARTS * (LAST_POWER - PARTS_BITS as usize + 2);

/// A histogram of durations.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

/// What a histogram says, in milliseconds; zeros when nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct Percentiles {
    /// How many durations were recorded.
    pub count: u64,
    /// Half took at most this long.
    pub p50_ms: f64,
    /// 95 of 100 took at most this long.
    pub p95_ms: f64,
    /// 99 of 100 took at most this long.
    pub p99_ms: f64,
}

impl Histogram {
    /// Records one duration.
    pub fn record(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(index(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The percentiles so far.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let counts: Vec<u64> = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        let count = counts.iter().sum();
        if count == 0 {
            return Percentiles::default();
        }
        Percentiles {
            count,
            p50_ms: at(&counts, count, 50),
            p95_ms: at(&counts, count, 95),
            p99_ms: at(&counts, count, 99),
        }
    }
}

/// The upper bound, in milliseconds, of the bucket in which `percent` of `count` is reached.
fn at(counts: &[u64], count: u64, percent: u64) -> f64 {
    let wanted = count.saturating_mul(percent).div_ceil(100);
    let mut seen = 0;
    let bucket = counts.iter().position(|n| {
        seen += n;
        seen >= wanted
    });
    upper_micros(bucket.unwrap_or(BUCKETS - 1)) as f64 / 1000.0
}

/// The bucket of a duration.
fn index(micros: u64) -> usize {
    let Some(power) = micros.checked_ilog2().filter(|p| *p >= PARTS_BITS) else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let part = usize::try_from(micros >> (power - PARTS_BITS)).unwrap_or(0) & (PARTS - 1);
    ((power - PARTS_BITS + 1) as usize * PARTS + part).min(BUCKETS - 1)
}

/// The longest duration that falls into a bucket.
fn upper_micros(bucket: usize) -> u64 {
    let (power, part) = (bucket / PARTS, (bucket % PARTS) as u64);
    if power == 0 { part } else { ((PARTS as u64 + part + 1) << (power - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_one_to_a_hundred_milliseconds() {
        let histogram = Histogram::default();
        for ms in 1..=100 {
            histogram.record(Duration::from_millis(ms));
        }
        let p = histogram.percentiles();
        assert_eq!(p.count, 100);
        for (value, truth) in [(p.p50_ms, 50.0), (p.p95_ms, 95.0), (p.p99_ms, 99.0)] {
            assert!((truth..=truth * 1.125).contains(&value), "{value} for {truth}");
        }
    }

    #[test]
    fn nothing_recorded_is_zero_and_the_longest_has_a_place() {
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
        let histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.percentiles().count, 1);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_values_and_is_narrow(micros in 0_u64..(1 << 32)) {
            let upper = upper_micros(index(micros));
            prop_assert!(upper >= micros);
            prop_assert!(upper - micros <= micros / 8);
            prop_assert_eq!(index(upper), index(micros));
            prop_assert_eq!(index(upper + 1), index(micros) + 1);
        }
    }
}
