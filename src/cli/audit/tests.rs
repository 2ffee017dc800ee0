//! Moments, rows, and a log that is shown and exported.

use jiff::Timestamp;
use serde_json::json;

use super::{choice::moment, tail::row};

#[test]
fn a_moment_is_a_time_or_how_long_ago() {
    let now: Timestamp = "2026-07-28T12:00:00Z".parse().unwrap();
    let at = |text| moment(text, now).map(|moment| moment.to_string());
    assert_eq!(at("2026-07-01T00:00:00Z").unwrap(), "2026-07-01T00:00:00Z");
    assert_eq!(at("2h").unwrap(), "2026-07-28T10:00:00Z");
    assert!(at("yesterday").unwrap_err().to_string().contains("`2h`"));
}

#[test]
fn a_row_says_who_what_and_why() {
    let call = json!({
        "time": "2026-07-28T12:00:00.5Z", "event": "call", "request": "r_1",
        "who": {"key": "k1", "label": "acme", "tenant": "t_1", "address": "10.0.0.1"},
        "what": "store_memory", "action": "memory_write", "resource": "t_1",
        "outcome": "denied", "layer": "tool_policy", "policies": ["acme.read_only"],
    });
    let cells = [
        "2026-07-28 12:00:00Z",
        "acme/k1",
        "store_memory",
        "t_1",
        "denied",
        "tool_policy: acme.read_only",
        "10.0.0.1",
        "r_1",
    ];
    assert_eq!(row(&call), cells);
    let stop = json!({"time": "2026-07-28T12:00:00Z", "event": "stop", "who": {},
        "what": "serve", "outcome": "allowed", "detail": "0 requests cut"});
    let cells = ["2026-07-28 12:00:00Z", "-", "serve", "-", "allowed", "0 requests cut", "-", "-"];
    assert_eq!(row(&stop), cells);
}
