//! `memgate config check --posture`: how safe is what would be served.
//!
//! Exit code 2 when memgate would not start at all, 1 when there is a danger, so that a pipeline
//! can hold a deployment up; warnings and notes are 0.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::{failure::Failure, output::Printer, registrar::Registrar};
use crate::{
    app::{
        Control,
        posture::{self, Keys, Known},
    },
    cli::client::Client,
    config::{
        load::{Loaded, Origin, Sources},
        posture::{Finding, Settled, Severity, settings},
        problem::Problem,
        setting,
    },
    db::paths::Paths,
    domain::{
        Result,
        clock::{Clock as _, SystemClock},
    },
    http::tls::Certificates,
};

pub(in crate::cli) fn check(
    sources: &Sources,
    json: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let (loaded, problems) = super::config::problems(sources);
    let mut settled = settled(&loaded);
    settled.findings.extend(problems.iter().map(refused));
    let listen = &loaded.settings.listen;
    let certificate = listen.tls.as_ref().map(|tls| {
        let certificates = Certificates::load(tls, listen.http2).map_err(|e| e.to_string())?;
        Ok(certificates.status())
    });
    let now = SystemClock::new().now();
    let keys = if problems.is_empty() { keys(&loaded, now) } else { None };
    let report = posture::examine(&loaded.settings, &settled, &Known { keys, certificate, now });
    if json {
        printer.json(&report)?;
    } else {
        for finding in &report.findings {
            printer.line(finding)?;
        }
        printer.line(format_args!("posture: {}", report.summary()))?;
    }
    if !problems.is_empty() {
        return Err(Failure::Refused);
    }
    if report.worst == Severity::Danger { Err(Failure::Found) } else { Ok(()) }
}

/// What the settings tell, and the file they come from.
pub(in crate::cli) fn settled(loaded: &Loaded) -> Settled {
    let file = setting::all().find_map(|setting| match loaded.origin(setting.key) {
        Origin::File { name, .. } => Some(PathBuf::from(name)),
        _ => None,
    });
    Settled { findings: settings::examine(loaded), file }
}

fn refused(problem: &Problem) -> Finding {
    let fix = "memgate does not start until this is done";
    Finding::new(Severity::Danger, "start", problem.to_string(), fix)
}

/// The keys, from the running server or out of the registry; none where neither can be asked,
/// which is no finding: a posture is looked at before there are keys, too.
fn keys(loaded: &Loaded, now: Timestamp) -> Option<Keys> {
    let paths = Paths::below(&loaded.settings.storage.data_dir);
    let registrar = match Client::find(paths.control_socket()).ok()? {
        Some(server) => Registrar::Running(server),
        None if paths.control_db().exists() => {
            // Without the keys of the settings: their tenants would be made.
            let mut settings = loaded.settings.clone();
            settings.auth.environment_keys.clear();
            Registrar::Direct(Box::new(Control::open(&settings).ok()?))
        }
        None => return None,
    };
    Some(counted(&registrar.keys().ok()?, now))
}

fn counted(keys: &[Value], now: Timestamp) -> Keys {
    let time = |key: &Value, field: &str| key.get(field)?.as_str()?.parse::<Timestamp>().ok();
    let is_made = |key: &&Value| {
        let id = key.get("id").and_then(Value::as_str).unwrap_or_default();
        !id.starts_with("env-") && time(key, "revoked_at").is_none()
    };
    let mut counted = Keys::default();
    for key in keys.iter().filter(is_made) {
        match time(key, "expires_at") {
            Some(end) if end <= now => {}
            Some(_) => counted.working += 1,
            None => {
                counted.working += 1;
                counted.endless += 1;
            }
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_were_made_and_work_are_counted() {
        let now = "2026-07-28T12:00:00Z".parse().unwrap();
        let keys = [
            json!({"id": "env-acme", "expires_at": null}),
            json!({"id": "aaaaaaaaaaaa", "expires_at": null}),
            json!({"id": "bbbbbbbbbbbb", "expires_at": "2027-01-01T00:00:00Z"}),
            json!({"id": "cccccccccccc", "expires_at": "2026-01-01T00:00:00Z"}),
            json!({"id": "dddddddddddd", "revoked_at": "2026-01-01T00:00:00Z"}),
        ];
        assert_eq!(counted(&keys, now), Keys { working: 2, endless: 1 });
    }
}
