//! Settings that are allowed and yet probably not meant: said, never enforced.

use super::{
    listen::Listen,
    load::{Loaded, Origin},
    problem::Problem,
    setting,
};

/// Everything worth a second look.
#[must_use]
pub fn advise(loaded: &Loaded) -> Vec<Problem> {
    let (listen, http) = (&loaded.settings.listen, &loaded.settings.http);
    let is_open = Listen::is_open(listen.public);
    let mut advice = Vec::new();
    let mut say = |place: &str, sentence: &str| advice.push(Problem::new(place, sentence));
    if loaded.settings.auth.disabled {
        say("auth.disabled", "lets every program on this machine read and write all memories");
    }
    if is_open && http.trusted_hosts.is_empty() {
        say(
            "http.trusted_hosts",
            "is empty, so only requests for the bind address itself are answered; name the hosts \
             that clients use",
        );
    }
    if listen.behind_proxy && listen.trusted_proxies.is_empty() {
        say(
            "listen.trusted_proxies",
            "is empty, so all clients count as one address, the proxy's; name the proxy",
        );
    }
    if http.require_https && listen.tls.is_none() && listen.trusted_proxies.is_empty() {
        say(
            "http.require_https",
            "refuses every request: there is no TLS, and no trusted proxy that could say `https`",
        );
    }
    for setting in setting::all().filter(|s| s.secret && is_open) {
        if let Origin::Environment(name) = loaded.origin(setting.key)
            && !name.ends_with("_FILE")
        {
            let sentence = "can be read by whoever sees the process; a file is safer";
            say(&name, &format!("{sentence}, `{name}_FILE`"));
        }
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::{Sources, survey};

    fn advice(variables: &[(&str, &str)]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            directory: directory.path().to_owned(),
            environment: variables.iter().copied().collect(),
            ..Sources::default()
        };
        advise(&survey(&sources).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_need_no_advice_and_each_trap_has_its_own() {
        let none: [String; 0] = [];
        assert_eq!(advice(&[]), none);
        assert_eq!(advice(&[("MCP_API_KEY", "k7Qd93jf8sLw02Xm")]), none);
        let open = [("HOST", "0.0.0.0"), ("TRUSTED_HOSTS", "a.example")];
        for (variables, place) in [
            (vec![("DISABLE_AUTH", "true")], "auth.disabled"),
            (vec![("HOST", "0.0.0.0")], "http.trusted_hosts"),
            (vec![("MEMGATE_LISTEN__BEHIND_PROXY", "true")], "listen.trusted_proxies"),
            (vec![("REQUIRE_HTTPS", "true")], "http.require_https"),
            (vec![open[0], open[1], ("MCP_API_KEY", "k7Qd93jf8sLw02Xm")], "MCP_API_KEY "),
        ] {
            let advice = advice(&variables);
            assert_eq!(advice.len(), 1, "{advice:?}");
            assert!(advice[0].starts_with(place), "{advice:?}");
        }
    }
}
