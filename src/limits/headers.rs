//! A decision as header values: `RateLimit-Policy`, `RateLimit`, `Retry-After`.
//!
//! The first two are the structured fields of draft-ietf-httpapi-ratelimit-headers-11. `t` and
//! `Retry-After` name the same moment when the request is refused, as the draft asks.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use super::{Decision, decision::whole_seconds};

/// `RateLimit-Policy`.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit`.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Writes a decision into an answer's headers. `Retry-After` comes only with a refusal.
pub fn write(decision: &Decision, headers: &mut HeaderMap) {
    let Decision { class, rate, remaining, .. } = decision;
    let (name, window) = (class.as_str(), whole_seconds(rate.window));
    let policy = format!("\"{name}\";q={};w={window}", rate.requests);
    let state = format!("\"{name}\";r={remaining};t={}", reset_in(decision));
    for (header, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
    if !decision.allowed {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(decision.retry_after)));
    }
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
    use crate::domain::limits::{Class, Rate};

    fn written(allowed: bool, remaining: u32, retry_after: Duration) -> [String; 3] {
        let rate = Rate::new(100, 3600);
        let decision = Decision { class: Class::Requests, rate, allowed, remaining, retry_after };
        let mut headers = HeaderMap::new();
        write(&decision, &mut headers);
        [RATE_LIMIT_POLICY, RATE_LIMIT, RETRY_AFTER].map(|name| {
            headers.get(name).map_or("none", |value| value.to_str().unwrap()).to_owned()
        })
    }

    #[test]
    fn what_an_allowed_answer_carries() {
        assert_eq!(
            written(true, 12, Duration::ZERO),
            [r#""requests";q=100;w=3600"#, r#""requests";r=12;t=3168"#, "none"]
        );
    }

    #[test]
    fn a_refusal_names_one_moment_twice() {
        assert_eq!(
            written(false, 0, Duration::from_millis(35_100)),
            [r#""requests";q=100;w=3600"#, r#""requests";r=0;t=36"#, "36"]
        );
        assert_eq!(written(false, 0, Duration::ZERO)[2], "1");
    }
}
