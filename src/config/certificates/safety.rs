//! Client certificates that memgate refuses to serve with (I3), each with the way out.

use crate::config::{
    Settings,
    certificates::{NameKind, Use},
    listen::{ClientCertificates, Tls},
};

/// Everything that cannot be meant about client certificates.
pub(in crate::config) fn check(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    let certificates = &settings.auth.certificates;
    let mode = settings.listen.tls.as_ref().map(|tls| tls.client_certificates);
    match mode {
        None | Some(ClientCertificates::Off) => off(settings, refuse),
        Some(_) => on(settings, refuse),
    }
    let twice =
        certificates.operator_values.iter().find(|v| certificates.tenant_map.contains_key(*v));
    if let Some(value) = twice {
        refuse(
            "auth.certificates.operator_values",
            format!(
                "has `{value}`, which `tenant_map` has too; an operator opens no memory, so \
                     take it out of one of them"
            ),
        );
    }
    let wild = certificates.tenant_map.keys().chain(&certificates.operator_values);
    if certificates.tenant_from == NameKind::SanDns && wild.clone().any(|name| name.contains('*')) {
        refuse(
            "auth.certificates.tenant_map",
            "has a name with `*`; a certificate for many names is nobody's, so write one name out"
                .to_owned(),
        );
    }
}

/// SECURITY: a setting that does nothing lets its author believe that something is asked for.
fn off(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    let no_ca = |tls: &Tls| tls.client_ca.is_none() && tls.client_crl.is_none();
    if !settings.listen.tls.as_ref().is_none_or(no_ca) {
        refuse(
            "listen.tls.client_ca",
            "is set, and no client is asked for a certificate; write \
             `listen.tls.client_certificates = \"required\"` or `\"optional\"`, or take it out"
                .to_owned(),
        );
    }
    let certificates = &settings.auth.certificates;
    if certificates.is_set() || certificates.how == Use::BesideKey {
        refuse(
            "auth.certificates",
            "is set, and no client is asked for a certificate; write \
             `listen.tls.client_certificates = \"required\"` and `listen.tls.client_ca`, or take \
             the section out"
                .to_owned(),
        );
    }
}

fn on(settings: &Settings, refuse: &mut dyn FnMut(&str, String)) {
    if settings.listen.tls.as_ref().is_some_and(|tls| tls.client_ca.is_none()) {
        refuse(
            "listen.tls.client_ca",
            "is missing; name the PEM file with the authorities whose client certificates are good"
                .to_owned(),
        );
    }
    if !settings.auth.certificates.is_set() {
        refuse(
            "auth.certificates",
            "does not say whose memory a client certificate opens; write `tenant_map` with exact \
             names, or `tenant_pattern` with `{tenant}` in it"
                .to_owned(),
        );
    }
    if settings.auth.disabled {
        refuse(
            "auth.disabled",
            "lets everybody in, so client certificates would mean nothing; turn it off, or take \
             them out"
                .to_owned(),
        );
    }
}
