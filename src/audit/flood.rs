//! Refusals that anybody can cause without end are written down one by one only so often.
//!
//! INVARIANT I7: a stranger can make the log grow by a bounded number of records in a second.
//! What is beyond it is counted by the layer that refused, and the counts are one record.

use std::{fmt::Write as _, time::Duration};

use crate::telemetry::refusals::Layer;

/// Refusals that are written down each, one after the other.
const AT_ONCE: u32 = 100;
/// And then one so often: some 30 MB a day, whatever anybody does.
const APART: Duration = Duration::from_secs(1);
/// What was only counted is told so often.
pub(in crate::audit) const TOLD: Duration = Duration::from_secs(10);

/// What was refused of late.
#[derive(Debug, Default)]
pub(in crate::audit) struct Flood {
    /// How many were written down, less one for every [`APART`] since.
    written: u32,
    since: Duration,
    /// When the first was only counted that no record tells yet.
    counting: Duration,
    counted: Vec<(Layer, u64)>,
}

impl Flood {
    /// Whether a refusal by `layer` is written down by itself; otherwise it is counted.
    pub(in crate::audit) fn admits(&mut self, now: Duration, layer: Layer) -> bool {
        let passed = now.saturating_sub(self.since).as_secs() / APART.as_secs();
        if passed > 0 {
            self.written = self.written.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX));
            self.since = now;
        }
        if self.written < AT_ONCE {
            self.written += 1;
            return true;
        }
        if self.counted.is_empty() {
            self.counting = now;
        }
        match self.counted.iter_mut().find(|(of, _)| *of == layer) {
            Some((_, count)) => *count += 1,
            None => self.counted.push((layer, 1)),
        }
        false
    }

    /// Whether something was counted that no record tells yet.
    pub(in crate::audit) fn has_counted(&self) -> bool {
        !self.counted.is_empty()
    }

    /// What was counted, in words: `credential 12, address_limit 400`. Nothing yet when it is not
    /// time at `now`; without a `now`, whatever there is.
    pub(in crate::audit) fn take(&mut self, now: Option<Duration>) -> Option<String> {
        if now.is_some_and(|now| now.saturating_sub(self.counting) < TOLD) {
            return None;
        }
        let counted = std::mem::take(&mut self.counted);
        let mut text = String::new();
        for (layer, count) in counted {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{} {count}", layer.as_str());
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_a_stranger_makes_a_bounded_number_of_records() {
        let mut flood = Flood::default();
        let at = |ms| Duration::from_millis(ms);
        let admitted = (0..1_000).filter(|_| flood.admits(at(500), Layer::Credential)).count();
        assert_eq!(admitted, 100);
        assert!(!flood.admits(at(999), Layer::AddressLimit));
        assert_eq!(flood.take(Some(at(10_000))), None, "it may go on");
        let counted = flood.take(Some(at(10_500))).unwrap();
        assert_eq!(counted, "credential 900, address_limit 1");
        assert!(!flood.has_counted());
        assert_eq!(flood.take(None), None);
        // However long it goes on: one a second.
        let hour = (0..3_600_u64)
            .map(|s| {
                (0..50)
                    .filter(|_| flood.admits(at(200_000_000 + s * 1_000), Layer::Credential))
                    .count()
            })
            .sum::<usize>();
        assert!((3_600..3_800).contains(&hour), "{hour}");
    }
}
