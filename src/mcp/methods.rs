//! The names of what a client can ask for, as far as records speak of them.
//!
//! INVARIANT I5: what a client wrote as a method gets into a record only when it is one of these.

const KNOWN: [&str; 18] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
];

/// The method, if we know it.
#[must_use]
pub fn known(method: &str) -> Option<&'static str> {
    KNOWN.into_iter().find(|known| *known == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i5_only_our_own_names_come_back() {
        assert_eq!(known("tools/call"), Some("tools/call"));
        assert_eq!(known("hunter2"), None);
    }
}
