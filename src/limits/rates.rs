//! Requests per key, tool calls per key, failures per address and per key id.
//!
//! A key with a rate class is counted by that class and not by the rate of all keys. A class that
//! the settings have no more refuses its keys: what it would have allowed is unknown (I3).
//!
//! Buckets of keys are made by known callers only and are swept when full again. Buckets of
//! failures are made by anybody, so their number is bounded by `limits.max_addresses`; while
//! that many have failed recently, an address that has not is refused (I3, I7).

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use super::{Block, Decision, meter::Meter};
use crate::{
    config,
    domain::{Error, Result, clock::Clock, key::KeyId, limits::Class, rate_class::RateClass},
};

/// Every rate limiter that is not the per-address shield.
#[derive(Debug)]
pub struct Rates {
    requests: Meter<KeyId>,
    classes: BTreeMap<RateClass, Meter<KeyId>>,
    tool_calls: Option<Meter<KeyId>>,
    failures_by_address: Meter<Block>,
    failures_by_key: Meter<KeyId>,
}

impl Rates {
    /// Limiters for these settings, on this clock.
    #[must_use]
    pub fn new(settings: &config::limits::Limits, clock: Arc<dyn Clock>) -> Self {
        let (failures, most) = (settings.failures, settings.max_addresses);
        let requests = |rate| Meter::new(Class::Requests, rate, usize::MAX, clock.clone());
        let classes = settings.classes.iter().map(|(class, rate)| (class.clone(), requests(*rate)));
        Self {
            requests: requests(settings.per_key),
            classes: classes.collect(),
            tool_calls: settings
                .tool_calls_per_key
                .map(|rate| Meter::new(Class::ToolCalls, rate, usize::MAX, clock.clone())),
            failures_by_address: Meter::new(Class::Failures, failures, most, clock.clone()),
            failures_by_key: Meter::new(Class::Failures, failures, most, clock),
        }
    }

    /// Counts one request of a key, by its class if it has one.
    ///
    /// # Errors
    /// `Forbidden` for a class that the settings do not have.
    pub fn request(&self, key: &KeyId, class: Option<&RateClass>) -> Result<Decision> {
        let Some(class) = class else { return Ok(self.requests.count(key)) };
        let meter = self.classes.get(class).ok_or_else(|| {
            Error::forbidden(
                "the rate class of this key is not in the settings any more; its operator finds \
                 it in `memgate key show` and adds it to `limits.classes`",
            )
        })?;
        Ok(meter.count(key))
    }

    /// Counts one tool call of a key; `None` when tool calls have no limit of their own.
    #[must_use]
    pub fn tool_call(&self, key: &KeyId) -> Option<Decision> {
        self.tool_calls.as_ref().map(|meter| meter.count(key))
    }

    /// Whether another attempt may be made from this address (and for this key id) at all;
    /// counts nothing. Ask it for credentials that are not remembered: a key id is public, and
    /// whoever fails with it on purpose must not lock its owner out of a cached one.
    #[must_use]
    pub fn may_attempt(&self, address: IpAddr, key: Option<&KeyId>) -> Decision {
        let by_address = self.failures_by_address.look(&address.into());
        match key.map(|key| self.failures_by_key.look(key)) {
            Some(by_key) if stricter(&by_key, &by_address) => by_key,
            _ => by_address,
        }
    }

    /// Counts one failed credential.
    pub fn failed(&self, address: IpAddr, key: Option<&KeyId>) {
        let _ = self.failures_by_address.count(&address.into());
        if let Some(key) = key {
            let _ = self.failures_by_key.count(key);
        }
    }

    /// Forgets keys and addresses whose buckets are full again. Called once a minute.
    pub fn sweep(&self) {
        self.requests.sweep();
        self.classes.values().for_each(Meter::sweep);
        if let Some(tool_calls) = &self.tool_calls {
            tool_calls.sweep();
        }
        self.failures_by_address.sweep();
        self.failures_by_key.sweep();
    }

    /// Buckets remembered, over all limits.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.requests.len()
            + self.classes.values().map(Meter::len).sum::<usize>()
            + self.tool_calls.as_ref().map_or(0, Meter::len)
            + self.failures_by_address.len()
            + self.failures_by_key.len()
    }
}

/// A refusal beats an allowance; of two refusals the longer wait counts.
fn stricter(one: &Decision, other: &Decision) -> bool {
    (one.remaining, other.retry_after) < (other.remaining, one.retry_after)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::{clock::ManualClock, limits::Rate, random::OsEntropy};

    fn rates(settings: &config::limits::Limits) -> (Rates, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        (Rates::new(settings, clock.clone()), clock)
    }

    fn settings() -> config::limits::Limits {
        config::limits::Limits {
            per_key: Rate::new(100, 3600),
            failures: Rate::new(3, 30),
            ..config::limits::Limits::default()
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn requests_and_tool_calls_are_counted_apart() {
        let (rates, _) = rates(&config::limits::Limits {
            tool_calls_per_key: Some(Rate::new(2, 60)),
            ..settings()
        });
        let key = KeyId::random(&OsEntropy);
        assert_eq!(rates.request(&key, None).unwrap().remaining, 99);
        assert!(rates.tool_call(&key).unwrap().allowed);
        assert!(rates.tool_call(&key).unwrap().allowed);
        let refused = rates.tool_call(&key).unwrap();
        assert_eq!((refused.class, refused.allowed), (Class::ToolCalls, false));
        assert_eq!(rates.request(&key, None).unwrap().remaining, 98);
    }

    #[test]
    fn without_a_limit_of_their_own_tool_calls_are_not_counted() {
        let (rates, _) = rates(&settings());
        assert_eq!(rates.tool_call(&KeyId::random(&OsEntropy)), None);
        assert_eq!(rates.buckets(), 0);
    }

    #[test]
    fn a_key_with_a_class_has_that_rate_and_no_other() {
        let class = |name: &str| RateClass::parse(name).unwrap();
        let classes = [(class("slow"), Rate::new(1, 60)), (class("fast"), Rate::new(500, 60))];
        let (rates, clock) =
            rates(&config::limits::Limits { classes: classes.into(), ..settings() });
        let key = KeyId::random(&OsEntropy);
        let ask = |name: &str| rates.request(&key, Some(&class(name)));
        assert_eq!(ask("fast").unwrap().remaining, 499);
        assert!(ask("slow").unwrap().allowed && !ask("slow").unwrap().allowed);
        assert_eq!(rates.request(&key, None).unwrap().remaining, 99, "each is counted apart");
        assert_eq!(ask("gone").unwrap_err().kind(), crate::domain::Kind::Forbidden);
        assert_eq!(rates.buckets(), 3);
        clock.advance(Duration::from_hours(2));
        rates.sweep();
        assert_eq!(rates.buckets(), 0);
    }

    #[test]
    fn i7_failures_close_the_address_and_time_opens_it() {
        let (rates, clock) = rates(&settings());
        let (bad, good) = (address("2001:db8::1"), address("2001:db8:0:1::1"));
        for _ in 0..3 {
            assert!(rates.may_attempt(bad, None).allowed);
            rates.failed(bad, None);
        }
        let refused = rates.may_attempt(bad, None);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, Duration::from_secs(10));
        // The neighbour in the same /64 is the same client; the next /64 is not.
        assert!(!rates.may_attempt(address("2001:db8::ffff"), None).allowed);
        assert!(rates.may_attempt(good, None).allowed);
        clock.advance(Duration::from_secs(10));
        assert!(rates.may_attempt(bad, None).allowed);
    }

    #[test]
    fn failures_close_the_key_id_from_everywhere() {
        let (rates, _) = rates(&settings());
        let (key, other) = (KeyId::random(&OsEntropy), KeyId::random(&OsEntropy));
        for host in 1..=3 {
            rates.failed(address(&format!("192.0.2.{host}")), Some(&key));
        }
        let fresh = address("192.0.2.9");
        assert!(!rates.may_attempt(fresh, Some(&key)).allowed);
        assert!(rates.may_attempt(fresh, Some(&other)).allowed);
        assert!(rates.may_attempt(fresh, None).allowed);
    }

    #[test]
    fn i7_a_flood_of_addresses_stays_within_the_bound_and_is_forgotten() {
        let (rates, clock) = rates(&config::limits::Limits { max_addresses: 100, ..settings() });
        for n in 0..10_000_u32 {
            rates.failed(IpAddr::from(n.to_be_bytes()), Some(&KeyId::random(&OsEntropy)));
        }
        assert_eq!(rates.buckets(), 200);
        assert!(!rates.may_attempt(address("198.51.100.1"), None).allowed);
        clock.advance(Duration::from_mins(1));
        rates.sweep();
        assert_eq!(rates.buckets(), 0);
        assert!(rates.may_attempt(address("198.51.100.1"), None).allowed);
    }
}
