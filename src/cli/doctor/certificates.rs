//! The certificate and its key: readable, belonging together, private, and valid for a while; and
//! what client certificates are judged by.

use std::{os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use jiff::Timestamp;

use super::{Finding, Patient};
use crate::{config::listen::Tls, domain::Error, http::tls::Certificates};

const CHECK: &str = "certificates";

/// With less time left than this, somebody should be renewing.
const SOON: Duration = Duration::from_hours(24 * 30);

pub(in crate::cli::doctor) fn examine(patient: &Patient) -> Vec<Finding> {
    let listen = &patient.settings().listen;
    let Some(tls) = &listen.tls else {
        return vec![Finding::fine(CHECK, "none: plain HTTP is served")];
    };
    let mut findings: Vec<_> = private(&tls.private_key).into_iter().collect();
    let now = patient.clock.now();
    let status = match Certificates::load(tls, listen.http2) {
        Ok(certificates) => certificates.status(),
        Err(error) => {
            findings.push(unusable(&error));
            return findings;
        }
    };
    findings.push(expiry(tls, status.not_after, now));
    findings.extend(status.client_ca_not_after.map(|end| authority(end, now)));
    findings.extend(status.client_crl_next_update.map(|end| revocations(end, now)));
    findings
}

fn unusable(error: &Error) -> Finding {
    Finding::wrong(
        CHECK,
        error.to_string(),
        "`listen.tls.certificate` is the leaf and its chain, `listen.tls.private_key` its key, both \
         PEM; `listen.tls.client_ca` holds authorities; `memgate certs dev` makes them to try with",
    )
}

fn authority(end: Timestamp, now: Timestamp) -> Finding {
    let until = end.strftime("%Y-%m-%d");
    let hint = "put the next authority beside it in `listen.tls.client_ca`";
    if end <= now {
        Finding::warning(
            CHECK,
            format!("an authority for client certificates ended on {until}"),
            hint,
        )
    } else if end <= now + SOON {
        Finding::warning(
            CHECK,
            format!("an authority for client certificates ends on {until}"),
            hint,
        )
    } else {
        Finding::fine(CHECK, format!("client certificates: the authority is valid until {until}"))
    }
}

fn revocations(end: Timestamp, now: Timestamp) -> Finding {
    if end <= now {
        let said =
            format!("a revocation list is stale since {end}; its client certificates are refused");
        Finding::wrong(
            CHECK,
            said,
            "put a new one into `listen.tls.client_crl`; no restart is needed",
        )
    } else {
        Finding::fine(CHECK, format!("client certificates: revocation lists are good until {end}"))
    }
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
        let verdict = |end: &str| authority(end.parse().unwrap(), now).verdict;
        assert_eq!(verdict("2026-09-01T00:00:00Z"), Verdict::Fine);
        assert_eq!(verdict("2026-08-20T00:00:00Z"), Verdict::Warning);
        assert_eq!(verdict("2026-07-01T00:00:00Z"), Verdict::Warning);
        let verdict = |end: &str| revocations(end.parse().unwrap(), now).verdict;
        assert_eq!(verdict("2026-07-29T00:00:00Z"), Verdict::Fine);
        assert_eq!(verdict("2026-07-28T12:00:00Z"), Verdict::Wrong);
    }
}
