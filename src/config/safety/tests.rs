//! Every refusal, and the nearest setting that is none.

use super::*;
use crate::{
    config::{
        env::Environment,
        load::{Loaded, Sources, load},
        problem::Problems,
    },
    domain::secret::Secret,
};

const KEY: &str = "k7Qd93jf8sLw02Xm";
const OTHER: &str = "p0Wnd8sJq2Lv7Bx4Z";

fn start(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let directory = tempfile::tempdir().unwrap();
    load(&Sources {
        directory: directory.path().to_owned(),
        environment: variables.iter().copied().collect::<Environment>(),
        ..Sources::default()
    })
}

/// Refused with exactly one problem, at this place.
#[track_caller]
fn refused(variables: &[(&str, &str)], place: &str) {
    let problems = start(variables).expect_err("refused");
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(place), "{problems:?}");
}

#[track_caller]
fn accepted(variables: &[(&str, &str)]) {
    if let Err(problems) = start(variables) {
        panic!("{problems}");
    }
}

const OPEN: (&str, &str) = ("HOST", "0.0.0.0");
const PROXY: (&str, &str) = ("MEMGATE_LISTEN__BEHIND_PROXY", "true");

#[test]
fn i3_no_authentication_is_for_loopback() {
    accepted(&[("DISABLE_AUTH", "true")]);
    accepted(&[("DISABLE_AUTH", "true"), ("HOST", "::1")]);
    accepted(&[("DISABLE_AUTH", "true"), ("HOST", "::ffff:127.0.0.1")]);
    for host in ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1"] {
        refused(&[("DISABLE_AUTH", "true"), ("HOST", host), PROXY], "auth.disabled");
    }
    refused(
        &[("DISABLE_AUTH", "true"), ("MEMGATE_LISTEN__ADMIN", "0.0.0.0:3001"), PROXY],
        "auth.disabled",
    );
    for name in ["ALLOWED_ORIGINS", "TRUSTED_HOSTS"] {
        refused(&[("DISABLE_AUTH", "true"), (name, "*")], "auth.disabled");
    }
}

#[test]
fn i3_no_key_crosses_a_network_in_the_open() {
    refused(&[OPEN], "listen.host");
    refused(&[("MEMGATE_LISTEN__ADMIN", "10.0.0.1:3001")], "listen.admin");
    accepted(&[OPEN, PROXY]);
    accepted(&[("MEMGATE_LISTEN__OPS", "0.0.0.0:3001")]);
    let certificate = ("MEMGATE_LISTEN__TLS__CERTIFICATE", "a.pem");
    accepted(&[OPEN, certificate, ("MEMGATE_LISTEN__TLS__PRIVATE_KEY", "a.key")]);
    refused(&[OPEN, certificate], "listen.tls.private_key");
}

#[test]
fn i3_wildcards_on_an_open_address_must_be_meant() {
    for (name, place) in
        [("ALLOWED_ORIGINS", "http.allowed_origins"), ("TRUSTED_HOSTS", "http.trusted_hosts")]
    {
        accepted(&[(name, "*")]);
        refused(&[(name, "*"), OPEN, PROXY], place);
        accepted(&[(name, "*"), OPEN, PROXY, ("MEMGATE_HTTP__ACCEPT_WILDCARDS", "true")]);
    }
    let proxies = ("MEMGATE_LISTEN__TRUSTED_PROXIES", "0.0.0.0/0");
    refused(&[proxies, OPEN, PROXY], "listen.trusted_proxies");
    refused(&[("ALLOWED_ORIGINS", "*"), ("CORS_CREDENTIALS", "true")], "CORS_CREDENTIALS");
}

#[test]
fn i3_listeners_never_share_a_port() {
    refused(&[("MEMGATE_LISTEN__ADMIN", "127.0.0.1:3000")], "listen.admin");
    refused(&[("MEMGATE_LISTEN__OPS", "0.0.0.0:3000")], "listen.ops");
    accepted(&[("MEMGATE_LISTEN__ADMIN", "127.0.0.1:3001")]);
    accepted(&[("PORT", "0"), ("MEMGATE_LISTEN__ADMIN", "127.0.0.1:0")]);
}

#[test]
fn i3_a_key_opens_one_door() {
    accepted(&[("MCP_API_KEYS", &format!("a:{KEY},b:{OTHER}"))]);
    refused(&[("MCP_API_KEYS", &format!("a:{KEY},b:{KEY}"))], "the settings give one key");
    refused(&[("MCP_API_KEYS", &format!("a:{KEY},a:{KEY}"))], "the settings give one key");
    refused(&[("MCP_API_KEY", KEY), ("MCP_ADMIN_KEY", KEY)], "the settings give one key");
    accepted(&[("MCP_API_KEY", KEY), ("MCP_ADMIN_KEY", OTHER)]);
}

#[test]
fn i3_empty_short_and_placeholder_keys_are_refused() {
    for name in ["MCP_API_KEY", "MCP_API_KEYS", "MCP_ADMIN_KEY"] {
        refused(&[(name, "")], name);
    }
    refused(&[("MCP_API_KEYS", "claude:key1")], "MCP_API_KEYS entry 1 is shorter");
    refused(&[("MCP_API_KEY", "your-api-key-here-please")], "MCP_API_KEY is a placeholder");
}

#[test]
fn everything_is_said_at_once() {
    let problems =
        start(&[OPEN, ("DISABLE_AUTH", "true"), ("PORT", "x"), ("MCP_API_KEY", "")]).unwrap_err();
    assert_eq!(problems.iter().count(), 4, "{problems}");
}

#[test]
fn i5_no_problem_shows_a_key() {
    let keys = format!("{KEY}:{KEY},acme {KEY},acme:{KEY} {KEY},x:{KEY},y:{KEY}");
    let problems = start(&[("MCP_API_KEYS", &keys), ("MCP_ADMIN_KEY", KEY)]).unwrap_err();
    assert!(!problems.to_string().contains(KEY), "{problems}");
    let settings =
        EnvironmentKey { tenant: None, role: Role::Operator, secret: Secret::new(KEY.to_owned()) };
    assert!(!format!("{settings:?}").contains(KEY));
}
