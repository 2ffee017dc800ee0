//! When a key may be used: days of the week and hours of the day, in a time zone.
//!
//! Written `mon-fri 08:00-18:00 Europe/Berlin`. The rules of the zones are in the program, so
//! that an image without any files knows them too; summer time is the zone's business. Hours that
//! run past midnight belong to the day on which they begin.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Error, Result};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;
const FORM: &str = "`hours` is written like `mon-fri 08:00-18:00 Europe/Berlin` or \
                    `sat,sun 22:00-06:00 UTC`";

/// Days, hours and the zone that they are meant in.
#[derive(Clone, PartialEq, Eq)]
pub struct Hours {
    /// Bit 0 is Monday.
    days: u8,
    /// Minutes since midnight.
    from: u16,
    /// Minutes since midnight, up to 24:00; not after `from` means: on the next day.
    to: u16,
    zone: TimeZone,
}

impl Hours {
    /// Reads hours.
    ///
    /// # Errors
    /// Says what does not fit and how it is written.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split_whitespace();
        let (Some(days), Some(hours), Some(zone), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::bad_input(FORM));
        };
        let (from, to) = hours
            .split_once('-')
            .and_then(|(from, to)| Some((time(from)?, time(to)?)))
            .filter(|(from, to)| from != to && *from < DAY)
            .ok_or_else(|| Error::bad_input(format!("no such hours; {FORM}")))?;
        let days =
            self::days(days).ok_or_else(|| Error::bad_input(format!("no such days; {FORM}")))?;
        Ok(Self { days, from, to, zone: self::zone(zone)? })
    }

    /// Whether `now` is within them.
    #[must_use]
    pub fn contain(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.zone.clone());
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = local.weekday().to_monday_zero_offset().unsigned_abs();
        let on = |day: u8| self.days & (1 << (day % 7)) != 0;
        if self.from < self.to {
            return on(today) && (self.from..self.to).contains(&minute);
        }
        (on(today) && minute >= self.from) || (on(today + 6) && minute < self.to)
    }

    /// For people: `Mon–Fri 08–18 Europe/Berlin`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let days = self.ranges("–").iter().map(|range| capitals(range)).collect::<Vec<_>>();
        let clock = |minute: u16| match minute % 60 {
            0 => format!("{:02}", minute / 60),
            rest => format!("{:02}:{rest:02}", minute / 60),
        };
        let (from, to) = (clock(self.from), clock(self.to));
        format!("{} {from}–{to} {}", days.join(", "), self.zone_name())
    }

    /// The days as single ones and ranges, from Monday on.
    fn ranges(&self, dash: &str) -> Vec<String> {
        let on = |day: usize| self.days & (1 << day) != 0;
        let mut ranges = Vec::new();
        let mut day = 0;
        while let Some(first) = DAYS.get(day) {
            let end = (day..DAYS.len()).take_while(|d| on(*d)).count();
            match (end, DAYS.get(day + end.saturating_sub(1))) {
                (0, _) | (_, None) => {}
                (1, _) => ranges.push((*first).to_owned()),
                (_, Some(last)) => ranges.push(format!("{first}{dash}{last}")),
            }
            day += end.max(1);
        }
        ranges
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// As [`Hours::parse`] reads it.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let (days, from, to) = (self.ranges("-").join(","), clock(self.from), clock(self.to));
        write!(f, "{days} {from}-{to} {}", self.zone_name())
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
        Self::parse(&text).map_err(|e| de::Error::custom(e.public()))
    }
}

fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| -> Option<u16> {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let time = hour * 60 + minute;
    (minute < 60 && time <= DAY).then_some(time)
}

fn days(text: &str) -> Option<u8> {
    let day = |name: &str| DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
    if text.eq_ignore_ascii_case("daily") {
        return Some(0x7f);
    }
    let mut days = 0_u8;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // `sat-mon` runs over the end of the week.
        let count = (last + 7 - first) % 7 + 1;
        for offset in 0..count {
            days |= 1 << ((first + offset) % 7);
        }
    }
    Some(days)
}

fn zone(name: &str) -> Result<TimeZone> {
    let unknown = || {
        let shown: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
        Error::bad_input(format!(
            "no time zone `{shown}`; write a name of the IANA list, like `Europe/Berlin` or `UTC`"
        ))
    };
    let zone = TimeZone::get(name).map_err(|_| unknown())?;
    // A zone that has no name could not be written down again.
    if zone.iana_name().is_none() && !name.eq_ignore_ascii_case("UTC") {
        return Err(unknown());
    }
    Ok(zone)
}

fn capitals(range: &str) -> String {
    let part = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    };
    range.split('–').map(part).collect::<Vec<_>>().join("–")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(text: &str) -> Hours {
        Hours::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn office_hours_are_those_of_the_zone_in_summer_and_in_winter() {
        let office = hours("mon-fri 08:00-18:00 Europe/Berlin");
        for (moment, open) in [
            // A Friday in November: Berlin is one hour ahead.
            ("2026-11-27T06:59:59Z", false),
            ("2026-11-27T07:00:00Z", true),
            ("2026-11-27T16:59:59Z", true),
            ("2026-11-27T17:00:00Z", false),
            ("2026-11-28T12:00:00Z", false),
            // A Monday in July: two hours.
            ("2026-07-27T05:59:59Z", false),
            ("2026-07-27T06:00:00Z", true),
            ("2026-07-27T16:00:00Z", false),
        ] {
            assert_eq!(office.contain(at(moment)), open, "{moment}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = hours("fri 22:00-06:00 UTC");
        for (moment, open) in [
            ("2026-11-27T21:59:59Z", false),
            ("2026-11-27T22:00:00Z", true),
            ("2026-11-28T05:59:59Z", true),
            ("2026-11-28T06:00:00Z", false),
            ("2026-11-28T22:00:00Z", false),
            ("2026-11-27T05:00:00Z", false),
        ] {
            assert_eq!(night.contain(at(moment)), open, "{moment}");
        }
        assert!(hours("sun 22:00-06:00 UTC").contain(at("2026-11-30T01:00:00Z")), "into Monday");
    }

    #[test]
    fn it_is_written_as_it_is_read_and_said_in_words() {
        for (text, words) in [
            ("mon-fri 08:00-18:00 Europe/Berlin", "Mon–Fri 08–18 Europe/Berlin"),
            ("mon,wed,sat-sun 08:30-24:00 UTC", "Mon, Wed, Sat–Sun 08:30–24 UTC"),
            ("mon-sun 22:00-06:00 America/New_York", "Mon–Sun 22–06 America/New_York"),
        ] {
            assert_eq!(hours(text).to_string(), text);
            assert_eq!(hours(text).in_words(), words);
        }
        assert_eq!(hours("DAILY 00:00-24:00 UTC").to_string(), "mon-sun 00:00-24:00 UTC");
        assert_eq!(hours("sat-mon 10:00-12:00 UTC").to_string(), "mon,sat-sun 10:00-12:00 UTC");
    }

    #[test]
    fn i3_what_is_no_hours_is_refused() {
        for bad in [
            "",
            "mon-fri 08:00-18:00",
            "08:00-18:00 UTC",
            "mon-fri 8:00-18:00 UTC",
            "mon-fri 08:00-08:00 UTC",
            "mon-fri 08:00-24:01 UTC",
            "mon-fri 24:00-08:00 UTC",
            "mon-fri 08:60-09:00 UTC",
            "mo-fr 08:00-18:00 UTC",
            "mon- 08:00-18:00 UTC",
            "mon-fri 08:00-18:00 Mars/Base",
            "mon-fri 08:00-18:00 +01:00",
            "mon-fri 08:00-18:00 ../etc/passwd",
            "mon-fri 08:00-18:00 Europe/Berlin UTC",
        ] {
            assert!(Hours::parse(bad).is_err(), "{bad}");
        }
        let said = Hours::parse("mon 08:00-09:00 Mars/Base").unwrap_err();
        assert!(said.public().contains("`Mars/Base`") && said.public().contains("IANA"), "{said}");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_reads_reads_back(text in "[a-z,-]{0,8} [0-9:-]{0,11} UTC") {
            if let Ok(hours) = Hours::parse(&text) {
                prop_assert_eq!(Hours::parse(&hours.to_string()).unwrap(), hours);
            }
        }
    }
}
