//! Rates: so many in a window, `600/60s`.

use std::{num::NonZeroU32, time::Duration};

use super::{Form, Raw, time, time::Time, wrong};
use crate::domain::limits::Rate;

/// The longest window: a day. A longer one would forget nothing for longer than a process
/// usually lives.
const LONGEST: Duration = Duration::from_hours(24);

/// A rate. Zero is refused, and so is "no limit": every limit has a number (I3).
#[derive(Debug)]
pub struct Rates;

impl Form for Rates {
    type Value = Rate;

    const NAME: &'static str = "rate";

    fn read(raw: &Raw) -> Result<Rate, String> {
        const EXPECTED: &str =
            "a number of at least 1 and a window of 1s to 1d, for example `600/60s`";
        parse(raw.text()?).ok_or_else(|| wrong(raw, EXPECTED))
    }

    fn show(value: &Rate) -> String {
        format!("{}/{}", value.requests, Time::show(&value.window))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (requests, window) = text.split_once('/')?;
    let requests: NonZeroU32 = requests.trim().parse().ok()?;
    let window = time::parse(window.trim())?;
    let fits = window >= Duration::from_secs(1) && window <= LONGEST;
    fits.then_some(Rate { requests, window })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rate, String> {
        Rates::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn a_rate_reads_and_shows() {
        let rate = read("100/3600s").unwrap();
        assert_eq!(rate, Rate::new(100, 3600));
        assert_eq!(Rates::show(&rate), "100/1h");
        assert_eq!(read("100/1h"), Ok(rate));
    }

    #[test]
    fn i3_no_rate_means_no_limit() {
        for bad in ["0/60s", "600", "600/0s", "600/60", "600/2d", "-1/60s", "none/60s", "/60s"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
