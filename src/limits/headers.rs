//! A decision as header values: `RateLimit-Policy`, `RateLimit`, `Retry-After`.
//!
//! The first two are the structured fields of draft-ietf-httpapi-ratelimit-headers-11. `t` and
//! `Retry-After` name the same moment when the request is refused, as the draft asks. A limit of
//! what may be there at once has no window, but the unit that the draft gives it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::{Decision, decision::whole_seconds};
use crate::domain::limits::{Class, Limit, Rate, Reached};

/// `RateLimit-Policy`.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit`.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Writes what an allowed request left of its quota into its answer's headers.
pub fn write(decision: &Decision, headers: &mut HeaderMap) {
    let name = decision.class.as_str();
    let state = format!("\"{name}\";r={};t={}", decision.remaining, reset_in(decision));
    for (header, value) in
        [(RATE_LIMIT_POLICY, policy(decision.class, decision.rate)), (RATE_LIMIT, state)]
    {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}

/// The fields of a refusal: all three, whichever limit it was.
pub fn refusal(reached: &Reached) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let (name, policy) = match reached.limit {
        Limit::Rate(class, rate) => (class.as_str(), policy(class, rate)),
        Limit::Places(what, most) => {
            let name = what.as_str();
            (name, format!("\"{name}\";q={most};qu=\"concurrent-requests\""))
        }
    };
    let wait = whole_seconds(reached.retry_after);
    let state = format!("\"{name}\";r=0;t={wait}");
    [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state), (RETRY_AFTER, wait.to_string())]
        .into_iter()
        .filter_map(|(header, value)| Some((header, HeaderValue::try_from(value).ok()?)))
}

fn policy(class: Class, rate: Rate) -> String {
    let (name, window) = (class.as_str(), whole_seconds(rate.window));
    format!("\"{name}\";q={};w={window}", rate.requests)
}

/// Seconds until the quota is whole again, or, with nothing left, until the next one comes.
fn reset_in(decision: &Decision) -> u64 {
    if decision.remaining == 0 {
        return whole_seconds(decision.retry_after);
    }
    let quota = decision.rate.requests.get();
    let used = quota.saturating_sub(decision.remaining);
    let window = Duration::from_secs(whole_seconds(decision.rate.window));
    whole_seconds(window.mul_f64(f64::from(used) / f64::from(quota)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::AtOnce;

    const NAMES: [HeaderName; 3] = [RATE_LIMIT_POLICY, RATE_LIMIT, RETRY_AFTER];

    fn texts(headers: &HeaderMap) -> [String; 3] {
        NAMES.map(|name| {
            headers.get(name).map_or("none", |value| value.to_str().unwrap()).to_owned()
        })
    }

    fn refused(limit: Limit, retry_after: Duration) -> [String; 3] {
        texts(&refusal(&Reached { limit, retry_after }).collect())
    }

    #[test]
    fn what_an_allowed_answer_carries() {
        let decision = Decision {
            class: Class::Requests,
            rate: Rate::new(100, 3600),
            allowed: true,
            remaining: 12,
            retry_after: Duration::ZERO,
        };
        let mut headers = HeaderMap::new();
        write(&decision, &mut headers);
        assert_eq!(
            texts(&headers),
            [r#""requests";q=100;w=3600"#, r#""requests";r=12;t=3168"#, "none"]
        );
    }

    #[test]
    fn a_refusal_names_one_moment_twice() {
        let limit = Limit::Rate(Class::Requests, Rate::new(100, 3600));
        assert_eq!(
            refused(limit, Duration::from_millis(35_100)),
            [r#""requests";q=100;w=3600"#, r#""requests";r=0;t=36"#, "36"]
        );
        assert_eq!(refused(limit, Duration::ZERO)[2], "1");
    }

    #[test]
    fn a_limit_of_places_has_its_size_and_no_window() {
        assert_eq!(
            refused(Limit::Places(AtOnce::Streams, 16), Duration::from_secs(1)),
            [r#""streams";q=16;qu="concurrent-requests""#, r#""streams";r=0;t=1"#, "1"]
        );
    }
}
