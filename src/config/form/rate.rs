//! Rates: so many in a window, `600/60s`.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use super::{Form, Raw, shown, time, time::Time, wrong};
use crate::domain::{limits::Rate, rate_class::RateClass};

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

/// Rates with names: a table in TOML, `name=rate` with commas between them elsewhere.
#[derive(Debug)]
pub struct Classes;

impl Form for Classes {
    type Value = BTreeMap<RateClass, Rate>;

    const NAME: &'static str = "`{ name = \"rate\" }`";

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let pairs: Vec<(&str, &str)> = match raw {
            Raw::Pairs(pairs) => pairs.iter().map(|(n, r)| (n.as_str(), r.as_str())).collect(),
            raw => {
                let pair = |element| {
                    str::split_once(element, '=').ok_or_else(|| {
                        format!("has `{}`; write `name=rate`, like `ci=100/60s`", shown(element))
                    })
                };
                raw.elements().into_iter().map(pair).collect::<Result<_, _>>()?
            }
        };
        let mut classes = BTreeMap::new();
        for (name, rate) in pairs {
            let class = RateClass::parse(name.trim())
                .map_err(|e| format!("has `{}`; {}", shown(name), e.public()))?;
            let rate = Rates::read(&Raw::Text(rate.to_owned()))
                .map_err(|e| format!("has a class `{class}` that {e}"))?;
            if classes.insert(class, rate).is_some() {
                return Err(format!("has `{}` twice; name each class once", shown(name)));
            }
        }
        Ok(classes)
    }

    fn show(value: &Self::Value) -> String {
        let pairs = value.iter().map(|(class, rate)| format!("{class}={}", Rates::show(rate)));
        pairs.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_a_table_or_a_list_and_each_has_a_rate() {
        let pairs = [("ci", "100/60s"), ("batch", "10/1s")];
        let pairs = pairs.map(|(name, rate)| (name.to_owned(), rate.to_owned())).to_vec();
        let classes = Classes::read(&Raw::Pairs(pairs)).unwrap();
        assert_eq!(Classes::show(&classes), "batch=10/1s,ci=100/1m");
        let text = Raw::Text("ci=100/60s, batch = 10/1s".to_owned());
        assert_eq!(Classes::read(&text), Ok(classes));
        assert_eq!(Classes::read(&Raw::Text(String::new())), Ok(BTreeMap::new()));
        for (bad, word) in [
            ("ci", "name=rate"),
            ("CI=1/1s", "a rate class is"),
            ("ci=0/1s", "`ci`"),
            ("ci=1/1s,ci=2/1s", "twice"),
        ] {
            let said = Classes::read(&Raw::Text(bad.to_owned())).unwrap_err();
            assert!(said.contains(word), "{bad}: {said}");
        }
    }

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
