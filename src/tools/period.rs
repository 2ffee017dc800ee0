//! The four time filters Memento's users know, as spans of time.
//!
//! `today` and `yesterday` are calendar days in UTC; `last_week` and `last_month` are the last
//! 7 and the last 30 times 24 hours. The time is an argument.

use jiff::{SignedDuration, Timestamp};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A span of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Since midnight.
    Today,
    /// The day before.
    Yesterday,
    /// 7 days.
    LastWeek,
    /// 30 days.
    LastMonth,
}

impl Period {
    /// The names in arguments.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("today", Self::Today),
        ("yesterday", Self::Yesterday),
        ("last_week", Self::LastWeek),
        ("last_month", Self::LastMonth),
    ];

    /// The name in arguments.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Yesterday => "yesterday",
            Self::LastWeek => "last_week",
            Self::LastMonth => "last_month",
        }
    }

    /// From when on, and before when if it ends before now.
    #[must_use]
    pub fn span(self, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let midnight =
            Timestamp::from_second(now.as_second().div_euclid(DAY_SECONDS) * DAY_SECONDS)
                .unwrap_or(Timestamp::MIN);
        match self {
            Self::Today => (midnight, None),
            Self::Yesterday => (days_before(midnight, 1), Some(midnight)),
            Self::LastWeek => (days_before(now, 7), None),
            Self::LastMonth => (days_before(now, 30), None),
        }
    }
}

fn days_before(from: Timestamp, days: i64) -> Timestamp {
    from.checked_sub(SignedDuration::from_secs(days * DAY_SECONDS)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_calendar_days_in_utc() {
        let now = at("2026-03-01T00:00:01.5Z");
        assert_eq!(Period::Today.span(now), (at("2026-03-01T00:00:00Z"), None));
        let yesterday = (at("2026-02-28T00:00:00Z"), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(Period::Yesterday.span(now), yesterday);
    }

    #[test]
    fn weeks_and_months_go_back_from_now() {
        let now = at("2026-03-31T12:00:00Z");
        assert_eq!(Period::LastWeek.span(now), (at("2026-03-24T12:00:00Z"), None));
        assert_eq!(Period::LastMonth.span(now), (at("2026-03-01T12:00:00Z"), None));
    }

    #[test]
    fn the_ends_of_time_are_no_trap() {
        for now in [Timestamp::MIN, Timestamp::MAX, at("1969-12-31T23:59:59Z")] {
            for (name, period) in Period::NAMES {
                assert_eq!(period.as_str(), name);
                assert!(period.span(now).0 <= now, "{name} at {now}");
            }
        }
    }
}
