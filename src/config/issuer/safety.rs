//! Issuers that memgate refuses to serve with (I3), each with the way out.

use super::Issuer;
use crate::config::{Settings, form::url::Url};

/// Everything that is unsafe about the issuers together, and about each.
pub(in crate::config) fn check(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    let auth = &settings.auth;
    let Some(first) = auth.issuers.first() else { return };
    match &auth.resource {
        None => refuse(
            "auth.resource",
            "is missing; with an issuer, write the URL by which clients reach `/mcp`, for example \
             `https://memory.example.com/mcp`"
                .to_owned(),
        ),
        Some(url) if url.target().contains('?') => {
            refuse(
                "auth.resource",
                "has a `?`; write the URL of `/mcp` without a query".to_owned(),
            );
        }
        Some(_) => {}
    }
    if auth.disabled {
        refuse(
            "auth.disabled",
            format!(
                "lets everybody in, so the tokens of `{}` would mean nothing; turn it off, or take \
                 the issuers out",
                first.issuer
            ),
        );
    }
    for (i, issuer) in auth.issuers.iter().enumerate() {
        let place = format!("{} {}", super::KEY, i + 1);
        let mut complain = |sentence: &str| refuse(&place, sentence.to_owned());
        if auth.issuers.iter().take(i).any(|other| other.issuer == issuer.issuer) {
            complain("has the `issuer` of another table; write one table for each issuer");
        }
        one(issuer, &mut complain);
    }
}

fn one(issuer: &Issuer, complain: &mut dyn FnMut(&str)) {
    if issuer.issuer.is_empty() {
        complain("has no `issuer`; write exactly what `iss` in its tokens says");
    }
    let sources = [issuer.jwks_url.is_some(), issuer.discovery, issuer.jwks_file.is_some()];
    if sources.iter().filter(|is| **is).count() != 1 {
        complain("must have one of `jwks_url`, `jwks_file` and `discovery = true`");
    }
    let discovered = issuer.discovery.then(|| Url::parse(&issuer.issuer));
    if discovered == Some(None) {
        complain("has `discovery`, but its `issuer` is no https URL; write `jwks_url` instead");
    }
    let plain = |url: Option<&Url>| url.is_some_and(|url| !url.is_encrypted());
    if !issuer.allow_http
        && (plain(issuer.jwks_url.as_ref()) || plain(discovered.flatten().as_ref()))
    {
        complain(
            "would fetch its keys over plain HTTP; use `https://`, or write `allow_http = true`",
        );
    }
    if issuer.algorithms.is_empty() {
        complain("allows no algorithm; leave `algorithms` out or name one");
    }
    if issuer.types.is_empty() {
        complain("allows no `typ`; leave `types` out or name one");
    }
    if issuer.tenant_claim.is_empty() {
        complain("has an empty `tenant_claim`; name the claim that says whose memory it is");
    }
    if issuer.role_claim.is_some() == issuer.operator_values.is_empty() {
        complain("needs `role_claim` and `operator_values` together, or neither");
    }
    // SECURITY: an operator of everything by a claim that users may set themselves is nobody's
    // intention; an empty value would match an empty claim.
    if issuer.operator_values.iter().any(String::is_empty) {
        complain("has an empty text in `operator_values`; name the role");
    }
    if issuer.max_stale < issuer.refresh {
        complain("drops its keys before they are fetched again; raise `max_stale` over `refresh`");
    }
}
