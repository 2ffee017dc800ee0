//! The machine's clock: expiry dates are worth what it is worth.

use std::time::Duration;

use jiff::Timestamp;

use super::Finding;

const CHECK: &str = "clock";

/// Before this no memgate existed. Seconds since 1970: 2026-11-01.
const FIRST_RELEASE: i64 = 1_793_491_200;

/// Nobody runs this version so much later.
const PLAUSIBLE: Duration = Duration::from_hours(24 * 365 * 30);

/// Small steps back are what time synchronisation does.
const TOLERANCE: Duration = Duration::from_mins(5);

const HINT: &str = "set the clock (`timedatectl set-ntp true`): keys expire by it";

/// `newest` is the newest time that was ever written.
pub(in crate::cli::doctor) fn examine(now: Timestamp, newest: Option<Timestamp>) -> Vec<Finding> {
    let shown = now.strftime("%Y-%m-%d %H:%M:%SZ");
    let seconds = now.as_second();
    let end = FIRST_RELEASE.saturating_add_unsigned(PLAUSIBLE.as_secs());
    let finding = if seconds < FIRST_RELEASE {
        Finding::wrong(CHECK, format!("{shown} is before the first memgate"), HINT)
    } else if seconds > end {
        Finding::wrong(CHECK, format!("{shown} is far in the future"), HINT)
    } else if let Some(newest) = newest.filter(|newest| *newest > now + TOLERANCE) {
        let newest = newest.strftime("%Y-%m-%d %H:%M:%SZ");
        let found = format!("{shown} is before {newest}, when the newest key or tenant was made");
        Finding::wrong(CHECK, found, HINT)
    } else {
        Finding::fine(CHECK, shown.to_string())
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_clock_before_memgate_far_ahead_or_before_what_was_written_is_wrong() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let verdict = |now: &str, newest: Option<&str>| {
            examine(time(now), newest.map(time)).first().map(|f| f.verdict)
        };
        assert_eq!(time("2026-11-01T00:00:00Z").as_second(), FIRST_RELEASE);
        assert_eq!(verdict("2027-01-01T00:00:00Z", None), Some(Verdict::Fine));
        assert_eq!(verdict("1970-01-01T00:00:05Z", None), Some(Verdict::Wrong));
        assert_eq!(verdict("2099-01-01T00:00:00Z", None), Some(Verdict::Wrong));
        let now = "2027-01-01T00:00:00Z";
        assert_eq!(verdict(now, Some("2027-01-01T00:01:00Z")), Some(Verdict::Fine));
        assert_eq!(verdict(now, Some("2027-01-02T00:00:00Z")), Some(Verdict::Wrong));
    }
}
