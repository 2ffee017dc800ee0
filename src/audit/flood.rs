//! Refusals that anybody can cause without end are written down one by one only so often.
//!
//! INVARIANT I7: a stranger can make the log grow by a bounded number of records in a second.
//! What is beyond it is counted by the layer that refused, and the counts are one record.

use std::{fmt::Write as _, time::Duration};

use crate::telemetry::refusals::Layer;

/// Refusals of one second that are written down each.
pub(in crate::audit) const A_SECOND: u32 = 100;

/// What was refused of late.
#[derive(Debug, Default)]
pub(in crate::audit) struct Flood {
    second: u64,
    written: u32,
    counted: Vec<(Layer, u64)>,
}

impl Flood {
    /// Whether a refusal by `layer` is written down by itself; otherwise it is counted.
    pub(in crate::audit) fn admits(&mut self, now: Duration, layer: Layer) -> bool {
        if now.as_secs() != self.second {
            (self.second, self.written) = (now.as_secs(), 0);
        }
        if self.written < A_SECOND {
            self.written += 1;
            return true;
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

    /// What was counted, in words: `credential 12, address_limit 400`. While its second is not
    /// over at `now`, nothing yet; without a `now`, whatever there is.
    pub(in crate::audit) fn take(&mut self, now: Option<Duration>) -> Option<String> {
        if now.is_some_and(|now| now.as_secs() == self.second) {
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
        assert_eq!(flood.take(Some(at(999))), None, "it may go on");
        let counted = flood.take(Some(at(1_000))).unwrap();
        assert_eq!(counted, "credential 900, address_limit 1");
        assert!(!flood.has_counted());
        assert!(flood.admits(at(1_000), Layer::Credential), "a new second");
        assert_eq!(flood.take(None), None);
    }
}
