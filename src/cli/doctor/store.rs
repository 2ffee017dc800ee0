//! The control plane's database: whether it opens, is whole, and has somebody who can use it.
//!
//! While a server runs, it is asked instead: it holds the lock, and what it can read is whole.
//! Without one the database is opened as serving would open it, which brings one of an older
//! version up to date.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Finding, Patient};
use crate::{
    app::Control,
    cli::{
        client::Client,
        registrar::{Registrar, cell},
    },
    db::sqlite::{Database, Limits, Mode},
    domain::{Kind, Result},
};

const CHECK: &str = "store";
const KEYS: &str = "keys";

/// The findings, and the newest time that was ever written.
pub(in crate::cli::doctor) fn examine(patient: &Patient) -> (Vec<Finding>, Option<Timestamp>) {
    let path = patient.paths().control_db();
    if path.symlink_metadata().is_err() {
        return (vec![Finding::fine(CHECK, "empty; the first start fills it")], None);
    }
    match records(patient) {
        Ok((tenants, keys)) => {
            let newest = tenants.iter().chain(&keys).filter_map(made).max();
            let mut findings = vec![counted(tenants.len(), &keys, patient.clock.now())];
            findings.extend(attention(&keys));
            let classes = &patient.settings().limits.classes;
            findings.extend(classless(&keys, |class| classes.keys().any(|c| c.as_str() == class)));
            (findings, newest)
        }
        Err(error) => {
            let hint = match error.kind() {
                Kind::Conflict => {
                    "another process holds the data directory; stop it, then ask again"
                }
                Kind::BadInput => "see the findings about settings and data above",
                _ => "stop memgate, keep a copy of the data directory, restore the newest backup",
            };
            (vec![Finding::wrong(CHECK, error.to_string(), hint)], None)
        }
    }
}

fn records(patient: &Patient) -> Result<(Vec<Value>, Vec<Value>)> {
    let server = Client::find(patient.paths().control_socket())?;
    let registrar = if let Some(server) = server {
        Registrar::Running(server)
    } else {
        // Without the keys of the settings: their tenants would be made.
        let mut settings = patient.settings().clone();
        settings.auth.environment_keys.clear();
        let control = Control::open(&settings)?;
        let path = control.data.paths().control_db();
        let clock = Arc::clone(&patient.clock);
        Database::open(&path, Mode::Reader, &Limits::default(), clock)?.quick_check()?;
        Registrar::Direct(Box::new(control))
    };
    Ok((registrar.tenants()?, registrar.keys()?))
}

fn made(record: &Value) -> Option<Timestamp> {
    record.get("created_at")?.as_str()?.parse().ok()
}

fn counted(tenants: usize, keys: &[Value], now: Timestamp) -> Finding {
    let time = |key: &Value, field: &str| key.get(field)?.as_str()?.parse::<Timestamp>().ok();
    let works = |key: &&Value| {
        time(key, "revoked_at").is_none() && time(key, "expires_at").is_none_or(|end| end > now)
    };
    let working: Vec<_> = keys.iter().filter(works).collect();
    let of_role = |role: &str| working.iter().filter(|k| k["role"] == role).count();
    let (agents, operators) = (of_role("agent"), of_role("operator"));
    let found =
        format!("{tenants} tenants, {agents} agent keys and {operators} operator keys that work");
    if agents == 0 && !keys.is_empty() {
        let hint = "`memgate key create --tenant NAME` makes one";
        return Finding::warning(CHECK, format!("{found}; no client can connect"), hint);
    }
    Finding::fine(CHECK, found)
}

/// Keys that end soon or are not used, named one by one.
fn attention(keys: &[Value]) -> Vec<Finding> {
    let named = |what: &str| {
        let has = |key: &&Value| {
            let found = key.get("attention").and_then(Value::as_array);
            found.is_some_and(|found| found.iter().any(|word| word == what))
        };
        let names = keys.iter().filter(has).map(|key| {
            let [id, name] = ["id", "name"].map(|field| cell(key, field));
            if name == "-" { id } else { format!("{id} ({name})") }
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let ending = ("ends_soon", "keys end within 14 days", "`memgate key create` makes another one");
    let unused = ("unused", "keys were not used for 90 days", "`memgate key revoke ID` ends one");
    [ending, unused]
        .into_iter()
        .map(|(what, found, hint)| (named(what), found, hint))
        .filter(|(names, ..)| !names.is_empty())
        .map(|(names, found, hint)| Finding::warning(KEYS, format!("{found}: {names}"), hint))
        .collect()
}

/// Keys whose rate class is not in the settings: they are refused.
fn classless(keys: &[Value], is_known: impl Fn(&str) -> bool) -> Option<Finding> {
    let lost = |key: &&Value| {
        let class = key.get("rate_class").and_then(Value::as_str);
        key["revoked_at"].is_null() && class.is_some_and(|class| !is_known(class))
    };
    let lost = keys
        .iter()
        .filter(lost)
        .map(|key| format!("{} ({})", cell(key, "id"), cell(key, "rate_class")));
    let lost = lost.collect::<Vec<_>>().join(", ");
    let found = format!("keys are refused because their rate class is not set: {lost}");
    let hint = "add the class to `limits.classes`, or revoke the key";
    (!lost.is_empty()).then(|| Finding::wrong(KEYS, found, hint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn keys_that_end_soon_or_lie_about_are_named() {
        let quiet = json!({"id": "a", "attention": []});
        assert_eq!(attention(std::slice::from_ref(&quiet)), []);
        let ending = json!({"id": "b", "name": "ci", "attention": ["ends_soon", "unused"]});
        let unused = json!({"id": "c", "attention": ["unused"]});
        let found = attention(&[quiet, ending, unused]);
        let said: Vec<_> = found.iter().map(|f| (f.check, f.found.as_str())).collect();
        assert_eq!(
            said,
            [
                ("keys", "keys end within 14 days: b (ci)"),
                ("keys", "keys were not used for 90 days: b (ci), c")
            ]
        );
        assert!(found.iter().all(|f| f.verdict == Verdict::Warning));
    }

    #[test]
    fn a_key_without_its_rate_class_is_wrong() {
        let keys = [
            json!({"id": "a", "rate_class": "ci"}),
            json!({"id": "b", "rate_class": "batch"}),
            json!({"id": "c", "rate_class": "batch", "revoked_at": "2026-07-01T00:00:00Z"}),
            json!({"id": "d", "rate_class": null}),
        ];
        let found = classless(&keys, |class| class == "ci").unwrap();
        assert_eq!(found.verdict, Verdict::Wrong);
        assert!(found.found.ends_with(": b (batch)"), "{found}");
        assert_eq!(classless(&keys, |_| true), None);
    }

    #[test]
    fn keys_that_do_not_work_do_not_count() {
        let now: Timestamp = "2026-07-28T12:00:00Z".parse().unwrap();
        let agent = json!({"role": "agent"});
        let revoked = json!({"role": "agent", "revoked_at": "2026-07-01T00:00:00Z"});
        let expired = json!({"role": "agent", "expires_at": "2026-07-01T00:00:00Z"});
        let fine = counted(1, &[agent, revoked.clone()], now);
        assert_eq!(fine.verdict, Verdict::Fine);
        assert!(fine.found.contains("1 agent keys"), "{fine}");
        assert_eq!(counted(1, &[revoked, expired], now).verdict, Verdict::Warning);
        assert_eq!(counted(0, &[], now).verdict, Verdict::Fine);
    }
}
