//! Durations: a number and its unit, `250ms`, `30s`, `5m`, `12h`, `90d`.

use std::time::Duration;

use super::{Form, Raw, wrong};

/// Unit and milliseconds, largest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A duration with its unit. A number alone is refused: nobody can see what it means.
#[derive(Debug)]
pub struct Time;

impl Form for Time {
    type Value = Duration;

    const NAME: &'static str = "duration";

    fn read(raw: &Raw) -> Result<Duration, String> {
        const EXPECTED: &str = "a number and a unit of ms, s, m, h or d, for example `30s`";
        parse(raw.text()?).ok_or_else(|| wrong(raw, EXPECTED))
    }

    fn show(value: &Duration) -> String {
        let ms = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
        let exact = UNITS.iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit));
        exact.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", ms / unit))
    }
}

/// Reads `30s`.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Duration, String> {
        Time::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn every_unit_reads() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("90d", 7_776_000_000),
            ("5 m", 300_000),
        ] {
            assert_eq!(read(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_refused_with_an_example() {
        assert!(read("30").unwrap_err().contains("for example `30s`"));
        for bad in ["s", "-1s", "1.5s", "1y", "1S", "99999999999999999999s", "", "1s2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(ms in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(read(&Time::show(&duration)), Ok(duration));
        }
    }
}
