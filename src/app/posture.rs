//! The posture of a deployment: what the settings tell, and what only the machine can tell.
//!
//! `config check --posture` and the running server make the same report from the same checks.

mod files;

use jiff::{SignedDuration, Timestamp};

use super::process::{self, Standing};
use crate::{
    config::{
        Settings,
        posture::{
            Finding, Report, Settled,
            Severity::{Danger, Note, Warning},
            family,
        },
    },
    http::tls::TlsStatus,
};

/// With less time left, somebody should be renewing.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 30);
/// With less time left, nobody is.
const VERY_SOON: SignedDuration = SignedDuration::from_hours(24 * 7);

/// What only somebody with the registry and the certificates knows.
#[derive(Debug, Clone)]
pub struct Known {
    /// The keys, where they could be looked at.
    pub keys: Option<Keys>,
    /// The certificate, where there is TLS: its state, or why it cannot be read.
    pub certificate: Option<Result<TlsStatus, String>>,
    /// The time.
    pub now: Timestamp,
}

/// The keys that were made and work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keys {
    /// How many there are.
    pub working: usize,
    /// How many of them never expire.
    pub endless: usize,
}

/// The whole report.
#[must_use]
pub fn examine(settings: &Settings, settled: &Settled, known: &Known) -> Report {
    let mut findings = settled.findings.clone();
    findings.extend(files::examine(settings, settled.file.as_deref()));
    let keys = known.keys.map(keys).unwrap_or_default();
    findings.extend(family("keys", keys, "every key expires, or there is none"));
    if let Some(certificate) = &known.certificate {
        let found = self::certificate(certificate, known.now);
        findings.extend(family("certificates", found, "valid for a while, and read again"));
    }
    let found = of_process(process::standing());
    findings.extend(family("process", found, "not root, and a crash leaves no memory on disk"));
    Report::new(findings)
}

fn keys(keys: Keys) -> Vec<Finding> {
    let Keys { working, endless } = keys;
    if endless == 0 {
        return Vec::new();
    }
    let why = format!("{endless} of {working} keys never expire: a lost one works until revoked");
    let fix = "memgate key create --expires 90d …, then memgate key revoke the old one";
    vec![Finding::new(Note, "keys", why, fix)]
}

fn certificate(state: &Result<TlsStatus, String>, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "certificates";
    const RENEW: &str = "put a new one in its place; it is taken without a restart";
    let status = match state {
        Ok(status) => status,
        Err(why) => {
            let fix = "make both files readable by the user that runs memgate, and a pair";
            let why = format!("no certificate can be taken from the files: {why}");
            return vec![Finding::new(Danger, CHECK, why, fix)];
        }
    };
    let mut found = Vec::new();
    if let Some(problem) = &status.problem {
        let why = format!("the files as they lie there cannot be taken: {problem}");
        found.push(Finding::new(Warning, CHECK, why, RENEW));
    }
    let left = status.not_after.duration_since(now);
    let until = status.not_after.strftime("%Y-%m-%d");
    if left < VERY_SOON {
        let why = format!("the certificate ends on {until}: clients are turned away then");
        found.push(Finding::new(Danger, CHECK, why, RENEW));
    } else if left < SOON {
        let why = format!("the certificate ends on {until}");
        found.push(Finding::new(Warning, CHECK, why, RENEW));
    }
    found.extend(status.client_ca_not_after.and_then(|end| authority(end, now)));
    found.extend(status.client_crl_next_update.and_then(|end| revocations(end, now)));
    found
}

/// An authority past its date goes on vouching, because whoever put its file there trusts it.
fn authority(end: Timestamp, now: Timestamp) -> Option<Finding> {
    let until = end.strftime("%Y-%m-%d");
    let fix = "put the next authority beside it in listen.tls.client_ca, and take it out when its \
               last certificate is gone";
    let why = format!("an authority for client certificates ends on {until}");
    (end.duration_since(now) < SOON).then(|| Finding::new(Warning, "certificates", why, fix))
}

/// Lists are renewed often, so only one that was forgotten is worth a word.
fn revocations(end: Timestamp, now: Timestamp) -> Option<Finding> {
    let why =
        format!("a revocation list is stale since {end}: its client certificates are refused");
    let fix = "put a new one into listen.tls.client_crl; it is taken without a restart";
    (end <= now).then(|| Finding::new(Danger, "certificates", why, fix))
}

fn of_process(standing: Standing) -> Vec<Finding> {
    const CHECK: &str = "process";
    let mut found = Vec::new();
    if standing.is_root {
        let why = "memgate runs as root: a hole in it would be a hole in the machine";
        found.push(Finding::new(Warning, CHECK, why, "User=memgate (systemd), runAsNonRoot: true"));
    }
    if standing.dumps_core {
        let why = "core dumps are on: a crash writes keys and memories to disk";
        found.push(Finding::new(Warning, CHECK, why, "LimitCORE=0 (systemd), ulimit -c 0"));
    }
    if standing.is_readable {
        let why = "other processes of this user can read its memory and environment";
        let fix = "allow prctl(PR_SET_DUMPABLE), or give memgate a user of its own";
        found.push(Finding::new(Warning, CHECK, why, fix));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::posture::Severity;

    const NOW: &str = "2026-11-27T12:00:00Z";

    fn worst(found: &[Finding]) -> Option<Severity> {
        found.iter().map(|finding| finding.severity).max()
    }

    #[test]
    fn a_certificate_is_judged_by_the_time_it_has_left() {
        let judged = |end: &str, problem: Option<&str>| {
            let status = TlsStatus {
                not_after: end.parse().unwrap(),
                client_ca_not_after: None,
                client_crl_next_update: None,
                problem: problem.map(str::to_owned),
            };
            worst(&certificate(&Ok(status), NOW.parse().unwrap()))
        };
        assert_eq!(judged("2027-02-01T00:00:00Z", None), None);
        assert_eq!(judged("2026-12-20T00:00:00Z", None), Some(Warning));
        assert_eq!(judged("2026-12-02T00:00:00Z", None), Some(Danger));
        assert_eq!(judged("2026-11-01T00:00:00Z", None), Some(Danger));
        assert_eq!(judged("2027-02-01T00:00:00Z", Some("x")), Some(Warning));
        let gone = certificate(&Err("the file is gone".to_owned()), NOW.parse().unwrap());
        assert_eq!(worst(&gone), Some(Danger));
    }

    #[test]
    fn what_client_certificates_are_judged_by_grows_old_too() {
        let now: Timestamp = NOW.parse().unwrap();
        let judged = |ca: &str, crl: &str| {
            let status = TlsStatus {
                not_after: "2028-01-01T00:00:00Z".parse().unwrap(),
                client_ca_not_after: Some(ca.parse().unwrap()),
                client_crl_next_update: Some(crl.parse().unwrap()),
                problem: None,
            };
            worst(&certificate(&Ok(status), now))
        };
        let (late, soon, past) =
            ("2028-01-01T00:00:00Z", "2026-12-01T00:00:00Z", "2026-11-26T00:00:00Z");
        assert_eq!(judged(late, soon), None);
        assert_eq!(judged(soon, soon), Some(Warning));
        assert_eq!(judged(late, past), Some(Danger));
    }

    #[test]
    fn keys_without_an_end_are_counted() {
        assert_eq!(keys(Keys { working: 3, endless: 0 }), []);
        assert!(keys(Keys { working: 3, endless: 2 })[0].why.starts_with("2 of 3 keys"));
    }

    #[test]
    fn each_weakness_of_the_process_is_a_finding() {
        let safe = Standing { is_root: false, dumps_core: false, is_readable: false };
        assert_eq!(of_process(safe), []);
        for weak in [
            Standing { is_root: true, ..safe },
            Standing { dumps_core: true, ..safe },
            Standing { is_readable: true, ..safe },
        ] {
            assert_eq!(worst(&of_process(weak)), Some(Warning), "{weak:?}");
        }
    }
}
