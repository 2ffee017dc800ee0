//! Something dear that many want done: once a second, and one of them does it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Walking a whole full map for room is dear, and in a flood every request asks for it.
#[derive(Debug, Default)]
pub struct Pace {
    /// Milliseconds of the monotonic clock, plus one; 0 is "never yet".
    last: AtomicU64,
}

impl Pace {
    /// From one time to the next.
    pub const BETWEEN: Duration = Duration::from_secs(1);

    /// Whether the caller is the one to do it, now.
    #[must_use]
    pub fn due(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let last = self.last.load(Ordering::Relaxed);
        let passed = u128::from(now.saturating_sub(last));
        (last == 0 || passed >= Self::BETWEEN.as_millis())
            && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_second() {
        let pace = Pace::default();
        let due = |ms| pace.due(Duration::from_millis(ms));
        let said = [due(0), due(0), due(999), due(1000), due(1001), due(5000)];
        assert_eq!(said, [true, false, false, true, false, true]);
    }
}
