//! The certificate and its key: readable, belonging together, private, and valid for a while.

use std::{os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use jiff::Timestamp;

use super::{Finding, Patient};
use crate::{config::listen::Tls, http::tls::Certificates};

const CHECK: &str = "certificates";

/// With less time left than this, somebody should be renewing.
const SOON: Duration = Duration::from_hours(24 * 30);

pub(in crate::cli::doctor) fn examine(patient: &Patient) -> Vec<Finding> {
    let listen = &patient.settings().listen;
    let Some(tls) = &listen.tls else {
        return vec![Finding::fine(CHECK, "none: plain HTTP is served")];
    };
    let mut findings: Vec<_> = private(&tls.private_key).into_iter().collect();
    findings.push(match Certificates::load(tls, listen.http2) {
        Ok(certificates) => expiry(tls, certificates.status().not_after, patient.clock.now()),
        Err(error) => Finding::wrong(
            CHECK,
            error.to_string(),
            "`listen.tls.certificate` is the leaf and its chain, `listen.tls.private_key` its \
             key, both PEM; `memgate certs dev` makes a pair to try with",
        ),
    });
    findings
}

fn private(key: &Path) -> Option<Finding> {
    let mode = key.metadata().ok()?.mode();
    (mode & 0o007 != 0).then(|| {
        let shown = key.display();
        let hint = format!("run `chmod o= {shown}`");
        Finding::wrong(CHECK, format!("others may read the private key {shown}"), hint)
    })
}

fn expiry(tls: &Tls, not_after: Timestamp, now: Timestamp) -> Finding {
    let until = not_after.strftime("%Y-%m-%d");
    let shown = tls.certificate.display();
    let hint = "put a new one in its place; memgate takes it without a restart";
    if not_after <= now {
        Finding::wrong(CHECK, format!("{shown} expired on {until}"), hint)
    } else if not_after <= now + SOON {
        Finding::warning(CHECK, format!("{shown} expires on {until}"), hint)
    } else {
        Finding::fine(CHECK, format!("{shown} is valid until {until}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_certificate_is_valid_ends_soon_or_is_over() {
        let now: Timestamp = "2026-07-28T12:00:00Z".parse().unwrap();
        let verdict = |end: &str| expiry(&Tls::default(), end.parse().unwrap(), now).verdict;
        assert_eq!(verdict("2026-09-01T00:00:00Z"), Verdict::Fine);
        assert_eq!(verdict("2026-08-20T00:00:00Z"), Verdict::Warning);
        assert_eq!(verdict("2026-07-28T12:00:00Z"), Verdict::Wrong);
    }
}
