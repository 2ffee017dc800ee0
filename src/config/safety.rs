//! Settings that memgate refuses to serve with (I3), each with the way out.
//!
//! These are combinations: each value alone is fine. What the data directory must be like is
//! checked by `db`, which holds its lock.

use std::net::SocketAddr;

use super::{
    Settings, auth::EnvironmentKey, certificates, issuer, listen::Listen, problem::Problem,
};
use crate::domain::key::Role;

/// Everything that is unsafe.
pub(in crate::config) fn check(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |place: &str, sentence: String| problems.push(Problem::new(place, sentence));
    authentication(settings, &mut refuse);
    encryption(settings, &mut refuse);
    wildcards(settings, &mut refuse);
    addresses(settings, &mut refuse);
    keys(&settings.auth.environment_keys, &mut refuse);
    issuer::check(settings, &mut refuse);
    certificates::check(settings, &mut refuse);
    problems
}

/// Listeners that take credentials, with the key of each.
fn listeners(settings: &Settings) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let admin = settings.listen.admin.map(|a| ("listen.admin", a));
    std::iter::once(("listen.host", settings.listen.public)).chain(admin)
}

fn open_listeners(settings: &Settings) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    listeners(settings).filter(|(_, address)| Listen::is_open(*address))
}

fn authentication(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    if !settings.auth.disabled {
        return;
    }
    if let Some((key, address)) = open_listeners(settings).next() {
        refuse(
            "auth.disabled",
            format!(
                "lets anybody in who reaches {}; turn it off, or set `{key}` to 127.0.0.1",
                address.ip()
            ),
        );
    }
    // Every web page could read every memory through the browser of whoever runs memgate.
    if has_star(&settings.http.allowed_origins) || has_star(&settings.http.trusted_hosts) {
        refuse(
            "auth.disabled",
            "together with `*` in `http.allowed_origins` or `http.trusted_hosts` lets every web \
             page in; turn it off, or name the origins and hosts"
                .to_owned(),
        );
    }
}

fn encryption(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    if let Some(tls) = &settings.listen.tls {
        for (key, path) in [
            ("listen.tls.certificate", &tls.certificate),
            ("listen.tls.private_key", &tls.private_key),
        ] {
            if path.as_os_str().is_empty() {
                refuse(key, "is missing; TLS needs a certificate and its private key".to_owned());
            }
        }
        return;
    }
    if settings.listen.behind_proxy {
        return;
    }
    for (key, address) in open_listeners(settings) {
        refuse(
            key,
            format!(
                "is {}, where keys would cross the network unencrypted; set \
                 `listen.tls.certificate` and `listen.tls.private_key`, or `--behind-proxy` when \
                 a proxy in front ends TLS",
                address.ip()
            ),
        );
    }
}

fn wildcards(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    if settings.http.accept_wildcards || open_listeners(settings).next().is_none() {
        return;
    }
    let everybody = settings.listen.trusted_proxies.iter().any(|n| n.prefix_len() == 0);
    for (key, found, harm) in [
        ("http.allowed_origins", has_star(&settings.http.allowed_origins), "every web page in"),
        ("http.trusted_hosts", has_star(&settings.http.trusted_hosts), "every host name in"),
        ("listen.trusted_proxies", everybody, "every caller choose the address it calls from"),
    ] {
        if found {
            refuse(
                key,
                format!(
                    "lets {harm} on an address that others reach; name them, or set \
                     `http.accept_wildcards = true` when you mean it"
                ),
            );
        }
    }
}

fn addresses(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    let ops = settings.listen.ops.map(|a| ("listen.ops", a));
    let all: Vec<_> = listeners(settings).chain(ops).collect();
    for (i, (key, address)) in all.iter().enumerate() {
        if let Some((other, _)) = all.iter().take(i).find(|(_, a)| collide(*a, *address)) {
            let other = if *other == "listen.host" { "the public listener" } else { other };
            refuse(key, format!("is {address}, which {other} takes; give it a port of its own"));
        }
    }
}

/// Port 0 takes a free port each time; an unspecified address takes the port on every address.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// SECURITY: one text must never open two doors: which of them it opened would depend on the
/// order in which they are tried.
fn keys(keys: &[EnvironmentKey], refuse: &mut dyn FnMut(&str, String)) {
    for (i, key) in keys.iter().enumerate() {
        let same = keys.iter().take(i).find(|other| other.secret == key.secret);
        if let Some(other) = same {
            refuse(
                "the settings",
                format!("give one key to {} and {}; make a key for each", owner(other), owner(key)),
            );
        }
    }
}

fn owner(key: &EnvironmentKey) -> String {
    match (&key.tenant, key.role) {
        (Some(tenant), _) => format!("tenant `{tenant}`"),
        (None, Role::Operator) => "the operator".to_owned(),
        (None, Role::Agent) => "an agent".to_owned(),
    }
}

fn has_star(list: &[String]) -> bool {
    list.iter().any(|e| e == "*")
}

#[cfg(test)]
mod tests;
