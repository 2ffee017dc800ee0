//! What the settings alone tell, a family of checks a function.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::{
    Finding, Severity,
    Severity::{Danger, Note, Warning},
    family,
};
use crate::{
    config::{
        Settings,
        certificates::Use,
        listen::{ClientCertificates, Listen},
        load::{Loaded, Origin},
        setting,
    },
    domain::{limits::Rate, pack::Pack},
};

/// A limit of so many times its default is no accident, or should not be one.
const FAR: f64 = 10.0;
/// A renewed certificate should be in use within this.
const LATE: Duration = Duration::from_hours(1);

/// Everything that the settings tell.
#[must_use]
pub fn examine(loaded: &Loaded) -> Vec<Finding> {
    let settings = &loaded.settings;
    let is_open = is_open(settings);
    [
        family("authentication", authentication(settings), "every caller needs a key"),
        family("client certs", certificates(settings), "none is asked for by halves"),
        family("encryption", encryption(settings, is_open), "no key crosses a network in clear"),
        family("web", web(settings, is_open), "hosts and origins are exact"),
        family("key settings", key_settings(loaded, is_open), "no key stands in the environment"),
        family("limits", limits(settings, is_open), "no limit is far above its default"),
        family("tools", tools(settings), "the demo tools are off"),
        family(
            "administration",
            administration(settings, is_open),
            "the administration is not on an address that others reach",
        ),
        family("logs", logs(settings, is_open), "no more is logged than is needed"),
    ]
    .concat()
}

/// Whether some listener that takes keys can be reached from another machine.
fn is_open(settings: &Settings) -> bool {
    let Listen { public, admin, .. } = settings.listen;
    Listen::is_open(public) || admin.is_some_and(Listen::is_open)
}

/// `open` where others reach the listener, else `local`.
fn by_reach(is_open: bool, open: Severity, local: Severity) -> Severity {
    if is_open { open } else { local }
}

fn authentication(settings: &Settings) -> Vec<Finding> {
    if !settings.auth.disabled {
        return Vec::new();
    }
    let why = "no key is asked for: every program on this machine reads and writes all memories";
    vec![Finding::new(Danger, "authentication", why, "auth.disabled = false")]
}

fn certificates(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "client certs";
    let Some(tls) = &settings.listen.tls else { return Vec::new() };
    let certificates = &settings.auth.certificates;
    let mut found = Vec::new();
    if tls.client_certificates == ClientCertificates::Optional && certificates.how == Use::Alone {
        let why = "a client without a certificate gets in with a key: who steals the key needs \
                   nothing else";
        let fix = "listen.tls.client_certificates = \"required\", or auth.certificates.use = \
                   \"beside_key\"";
        found.push(Finding::new(Note, CHECK, why, fix));
    }
    if tls.client_certificates != ClientCertificates::Off
        && certificates.create_tenants
        && certificates.tenants.is_empty()
    {
        let why = "every certificate of the authority makes the tenant that it names";
        let fix = "auth.certificates.tenants = [\"acme\"], or create_tenants = false";
        found.push(Finding::new(Note, CHECK, why, fix));
    }
    found
}

fn encryption(settings: &Settings, is_open: bool) -> Vec<Finding> {
    const CHECK: &str = "encryption";
    let (listen, http) = (&settings.listen, &settings.http);
    let mut found = Vec::new();
    if listen.behind_proxy && listen.tls.is_none() {
        let why = if is_open {
            "a proxy ends TLS, and from it to here keys cross the network in clear"
        } else {
            "a proxy on this machine ends TLS; its settings decide how safe that is"
        };
        let fix = "listen.tls.certificate = \"server.pem\" and listen.tls.private_key = \
                   \"server.key\", or listen.host = \"127.0.0.1\" with the proxy on this machine";
        found.push(Finding::new(by_reach(is_open, Warning, Note), CHECK, why, fix));
        if listen.trusted_proxies.is_empty() {
            let why = "no proxy is named, so all clients count as one address, in limits and logs";
            let fix = "listen.trusted_proxies = [\"10.0.0.7\"]";
            found.push(Finding::new(Warning, CHECK, why, fix));
        }
    }
    if listen.trusted_proxies.iter().any(|network| network.prefix_len() == 0) {
        let why = "everybody is a trusted proxy, so every caller chooses the address it is \
                   counted and logged under";
        let fix = "listen.trusted_proxies = [\"10.0.0.7\"]";
        found.push(Finding::new(by_reach(is_open, Danger, Warning), CHECK, why, fix));
    }
    if is_open && listen.tls.is_none() && !http.require_https {
        let why = "plain HTTP is answered on an address that others reach";
        found.push(Finding::new(Warning, CHECK, why, "http.require_https = true"));
    }
    if listen.tls.as_ref().is_some_and(|tls| tls.reload_interval > LATE) {
        let why = "a renewed certificate is noticed more than an hour late";
        found.push(Finding::new(Warning, CHECK, why, "listen.tls.reload_interval = \"1m\""));
    }
    found
}

fn web(settings: &Settings, is_open: bool) -> Vec<Finding> {
    const CHECK: &str = "web";
    let http = &settings.http;
    let has_star = |list: &[String]| list.iter().any(|element| element == "*");
    let stars = [
        (
            has_star(&http.allowed_origins),
            "every web page may call with a key that it knows",
            "http.allowed_origins = [\"https://app.example.com\"]",
        ),
        (
            has_star(&http.trusted_hosts),
            "every host name is ours, so a page can point its own name here (DNS rebinding)",
            "http.trusted_hosts = [\"memory.example.com\"]",
        ),
    ];
    let severity = by_reach(is_open, Danger, Warning);
    let mut found: Vec<_> = stars
        .into_iter()
        .filter(|(is_there, ..)| *is_there)
        .map(|(_, why, fix)| Finding::new(severity, CHECK, why, fix))
        .collect();
    if http.accept_wildcards && found.is_empty() {
        let why = "`*` among hosts and origins would be accepted, though there is none";
        found.push(Finding::new(Note, CHECK, why, "http.accept_wildcards = false"));
    }
    found
}

/// SECURITY: only names of variables are told, never a value.
fn key_settings(loaded: &Loaded, is_open: bool) -> Vec<Finding> {
    setting::all()
        .filter(|setting| setting.secret)
        .filter_map(|setting| match loaded.origin(setting.key) {
            Origin::Environment(name) if !name.ends_with("_FILE") => {
                let why = format!(
                    "{name} holds a key, which whoever runs as this user reads in /proc, and \
                     container tools show"
                );
                let fix = format!("{name}_FILE=/path/to/a/file/of/mode/0600");
                Some(Finding::new(by_reach(is_open, Warning, Note), "key settings", why, fix))
            }
            _ => None,
        })
        .collect()
}

/// A number that is larger the looser the setting.
type Measure = fn(&Settings) -> f64;

fn per_second(rate: Rate) -> f64 {
    f64::from(rate.requests.get()) / rate.window.as_secs_f64()
}

const LIMITS: [(&str, Measure); 15] = [
    ("limits.per_address", |s| per_second(s.limits.per_address)),
    ("limits.failures", |s| per_second(s.limits.failures)),
    ("limits.per_key", |s| per_second(s.limits.per_key)),
    ("limits.concurrency_per_tenant", |s| s.limits.concurrency_per_tenant as f64),
    ("limits.streams_per_tenant", |s| s.limits.streams_per_tenant as f64),
    ("limits.sessions_per_tenant", |s| s.limits.sessions_per_tenant as f64),
    ("limits.sessions", |s| s.limits.sessions as f64),
    ("listen.max_connections", |s| s.listen.max_connections as f64),
    ("listen.max_connections_per_address", |s| s.listen.max_connections_per_address as f64),
    ("listen.header_timeout", |s| s.listen.header_timeout.as_secs_f64()),
    ("listen.body_timeout", |s| s.listen.body_timeout.as_secs_f64()),
    ("listen.handshake_timeout", |s| s.listen.handshake_timeout.as_secs_f64()),
    ("listen.max_body_bytes", |s| s.listen.max_body_bytes as f64),
    ("auth.verifier_permits", |s| s.auth.verifier_permits as f64),
    ("mcp.tool_timeout", |s| s.mcp.tool_timeout.as_secs_f64()),
];

fn limits(settings: &Settings, is_open: bool) -> Vec<Finding> {
    let defaults = Settings::default();
    let raised = LIMITS.iter().filter_map(|(key, measure)| {
        let times = measure(settings) / measure(&defaults);
        let default = (setting::find(key)?.show)(&defaults);
        let why = format!("`{key}` is {times:.0} times its default, so it holds little back");
        let is_number = default.bytes().all(|b| b.is_ascii_digit());
        let fix =
            if is_number { format!("{key} = {default}") } else { format!("{key} = \"{default}\"") };
        let severity = by_reach(is_open, Warning, Note);
        (times >= FAR).then(|| Finding::new(severity, "limits", why, fix))
    });
    raised.collect()
}

fn tools(settings: &Settings) -> Vec<Finding> {
    if !settings.mcp.packs.contains(Pack::Demo) {
        return Vec::new();
    }
    let why = "the demo tools are on for every key that names no packs";
    vec![Finding::new(Note, "tools", why, "mcp.packs = [\"memento\", \"memoryos\"]")]
}

fn administration(settings: &Settings, is_open: bool) -> Vec<Finding> {
    const CHECK: &str = "administration";
    const FIX: &str = "listen.admin = \"127.0.0.1:3001\"";
    match settings.listen.admin {
        None if is_open => {
            let why = "/admin is on the public listener: an operator's key is all it takes from \
                       anywhere";
            vec![Finding::new(Warning, CHECK, why, FIX)]
        }
        Some(admin) if Listen::is_open(admin) => {
            let why = "the listener of /admin can be reached from other machines";
            vec![Finding::new(Note, CHECK, why, FIX)]
        }
        _ => Vec::new(),
    }
}

fn logs(settings: &Settings, is_open: bool) -> Vec<Finding> {
    let filter = &settings.telemetry.log_level;
    let levels = filter.level.into_iter().chain(filter.targets.iter().map(|(_, level)| *level));
    if !levels.into_iter().any(|level| level > LevelFilter::INFO) {
        return Vec::new();
    }
    let why = "the log tells more of each caller than operating takes (never a key or a memory)";
    let severity = by_reach(is_open, Warning, Note);
    vec![Finding::new(severity, "logs", why, "telemetry.log_level = \"info\"")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::{Sources, read};

    fn examined(variables: &[(&str, &str)]) -> Vec<Finding> {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources {
            directory: directory.path().to_owned(),
            environment: variables.iter().copied().collect(),
            ..Sources::default()
        };
        let loaded = read(&sources).unwrap();
        let is_trouble = |finding: &Finding| finding.severity > Severity::Ok;
        examine(&loaded).into_iter().filter(is_trouble).collect()
    }

    const OPEN: [(&str, &str); 4] = [
        ("HOST", "0.0.0.0"),
        ("MEMGATE_LISTEN__TLS__CERTIFICATE", "a.pem"),
        ("MEMGATE_LISTEN__TLS__PRIVATE_KEY", "a.key"),
        ("MEMGATE_LISTEN__ADMIN", "127.0.0.1:3001"),
    ];

    #[test]
    fn defaults_and_a_careful_open_deployment_are_in_order() {
        assert_eq!(examined(&[]), []);
        assert_eq!(examined(&OPEN), []);
    }

    #[test]
    fn each_loosened_setting_is_found_with_its_severity_and_its_fix() {
        let open = |more: &[(&'static str, &'static str)]| [&OPEN[..], more].concat();
        for (variables, severity, fix) in [
            (vec![("DISABLE_AUTH", "true")], Danger, "auth.disabled = false"),
            (vec![("MEMGATE_LISTEN__TRUSTED_PROXIES", "0.0.0.0/0")], Warning, "trusted_proxies ="),
            (open(&[("MEMGATE_LISTEN__TRUSTED_PROXIES", "::/0")]), Danger, "trusted_proxies ="),
            (vec![("ALLOWED_ORIGINS", "*")], Warning, "http.allowed_origins ="),
            (open(&[("ALLOWED_ORIGINS", "*")]), Danger, "http.allowed_origins ="),
            (open(&[("TRUSTED_HOSTS", "*")]), Danger, "http.trusted_hosts ="),
            (vec![("MEMGATE_HTTP__ACCEPT_WILDCARDS", "true")], Note, "accept_wildcards = false"),
            (vec![("MCP_API_KEY", "k7Qd93jf8sLw02Xm")], Note, "MCP_API_KEY_FILE="),
            (open(&[("MCP_ADMIN_KEY", "k7Qd93jf8sLw02Xm")]), Warning, "MCP_ADMIN_KEY_FILE="),
            (vec![("MEMGATE_LIMITS__FAILURES", "3000/60s")], Note, "limits.failures = \"30/1m\""),
            (open(&[("MEMGATE_LIMITS__SESSIONS", "100000")]), Warning, "limits.sessions = 2048"),
            (vec![("MEMGATE_MCP__PACKS", "memento,demo")], Note, "mcp.packs ="),
            (vec![("LOG_LEVEL", "debug")], Note, "telemetry.log_level = \"info\""),
            (open(&[("LOG_LEVEL", "info,memgate::http=trace")]), Warning, "log_level"),
            (open(&[("MEMGATE_LISTEN__TLS__RELOAD_INTERVAL", "12h")]), Warning, "reload_interval"),
            (open(&[("MEMGATE_LISTEN__ADMIN", "0.0.0.0:3001")]), Note, "listen.admin ="),
            (
                open(&[("MEMGATE_LISTEN__TLS__CLIENT_CERTIFICATES", "optional")]),
                Note,
                "client_certificates = \"required\"",
            ),
            (
                open(&[
                    ("MEMGATE_LISTEN__TLS__CLIENT_CERTIFICATES", "required"),
                    ("MEMGATE_AUTH__CERTIFICATES__CREATE_TENANTS", "true"),
                ]),
                Note,
                "create_tenants = false",
            ),
        ] {
            let found = examined(&variables);
            assert_eq!(found.len(), 1, "{variables:?}: {found:?}");
            assert_eq!(found[0].severity, severity, "{found:?}");
            assert!(found[0].fix.as_ref().unwrap().contains(fix), "{found:?}");
        }
        let open_plain = [("HOST", "0.0.0.0"), ("MEMGATE_LISTEN__BEHIND_PROXY", "true")];
        let found = examined(&open_plain);
        for fix in ["tls.certificate", "trusted_proxies", "require_https = true", "listen.admin"] {
            let has_it = |f: &&Finding| f.fix.as_ref().is_some_and(|text| text.contains(fix));
            assert_eq!(found.iter().find(has_it).unwrap().severity, Warning, "{fix}: {found:?}");
        }
    }

    #[test]
    fn every_limit_is_a_setting_and_every_fix_of_one_can_be_written() {
        for (key, measure) in LIMITS {
            assert!(setting::find(key).is_some(), "{key}");
            assert!(measure(&Settings::default()) > 0.0, "{key}");
        }
    }

    #[test]
    fn i5_no_finding_shows_a_key() {
        let found = examined(&[("MCP_API_KEYS", "acme:k7Qd93jf8sLw02Xm")]);
        assert!(!format!("{found:?}").contains("k7Qd93jf8sLw02Xm"));
    }
}
