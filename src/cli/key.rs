//! `memgate key`: make, list and revoke keys.
//!
//! A key's text exists once: on the terminal, on the pipe that asked for it, or in the file
//! that was named. `--json` gives it as `key` beside the record.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    failure::Failure,
    output::{Printer, Table},
    registrar::{Registrar, Wish, cell},
    tenant::label,
};
use crate::{
    config::{form::time, load::Sources},
    db::secret_file,
    domain::{
        Error, Kind,
        clock::{Clock, SystemClock},
        key::{KeyId, Role},
        pack::Pack,
        secret::Secret,
        tenant::TenantLabel,
    },
};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; it is shown once
    #[command(after_help = "Examples:\n  \
        memgate key create --tenant acme --name laptop\n  \
        memgate key create --tenant acme --name ci --expires 90d --out ci.key\n  \
        memgate key create --role operator --name me\n  \
        KEY=$(memgate key create --tenant acme --name script)")]
    Create(Create),
    /// List the keys; no secret is shown
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key: its next request is refused and its streams end
    #[command(after_help = "Example:\n  memgate key revoke 0k3v9q1mzx7a")]
    Revoke {
        /// The key's id, as `memgate key list` shows it
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
}

/// Arguments of `key create`.
#[derive(Debug, Args)]
pub struct Create {
    /// The tenant whose memory an agent key opens
    #[arg(long, value_parser = label, required_unless_present = "role")]
    tenant: Option<TenantLabel>,
    /// What to call it
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long, value_enum, default_value_t = RoleName::Agent)]
    role: RoleName,
    /// A tool pack it sees, instead of the default ones; can be repeated
    #[arg(long, value_parser = pack)]
    pack: Vec<Pack>,
    /// Another tenant that it may name in `user_id`; can be repeated
    #[arg(long, value_parser = label, value_name = "TENANT")]
    act_as: Vec<TenantLabel>,
    /// When it stops working: `90d`, `12h`, or a date like `2027-01-31`
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Write the key to this new file (mode 0600) and do not print it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print record and key as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// uses one tenant's memory
    Agent,
    /// sees and stops sessions, tenants and keys; reads no memory
    Operator,
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(sources, printer),
            Self::List { json } => {
                let keys = Registrar::open(sources)?.keys()?;
                if json {
                    return Ok(printer.json(&json!({ "keys": keys }))?);
                }
                Ok(printer.line(table(&keys, SystemClock::new().now()))?)
            }
            Self::Revoke { id } => {
                Registrar::open(sources)?.revoke_key(&id)?;
                Ok(printer.line(format_args!("revoked key {id}"))?)
            }
        }
    }
}

impl Create {
    fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let now = SystemClock::new().now();
        let expires_at = self.expires.as_deref().map(|text| expiry(text, now)).transpose()?;
        let role = match self.role {
            RoleName::Agent => Role::Agent,
            RoleName::Operator => Role::Operator,
        };
        // Before the key is made: a key whose text then has no place to go would be lost.
        if let Some(path) = self.out.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
            let sentence = format!("{} exists already; name another file", path.display());
            return Err(Error::bad_input(sentence).into());
        }
        let packs = (!self.pack.is_empty()).then(|| self.pack.into_iter().collect());
        let wish = Wish {
            role,
            tenant: self.tenant,
            name: self.name.unwrap_or_default(),
            packs,
            act_as: self.act_as,
            expires_at,
        };
        // With `--act-as`, the tenant that is missing may be one of those.
        let tenant = wish.tenant.clone().filter(|_| wish.act_as.is_empty());
        let made = Registrar::open(sources)?.create_key(wish);
        if made.as_ref().is_err_and(|error| error.kind() == Kind::NotFound) {
            printer.hint(match tenant {
                Some(tenant) => format!("`memgate tenant create {tenant}` makes the tenant"),
                None => "`memgate tenant list` shows the tenants there are".to_owned(),
            });
        }
        let (record, secret) = made?;
        if let Some(path) = &self.out {
            secret_file::write(path, &secret)?;
            if self.json {
                return Ok(printer.json(&record)?);
            }
            return Ok(printer.line(format_args!(
                "made key {} and wrote it to {}",
                cell(&record, "id"),
                path.display()
            ))?);
        }
        show(record, &secret, self.json, printer)
    }
}

fn show(mut record: Value, secret: &Secret, json: bool, printer: &Printer) -> Result<(), Failure> {
    if json {
        record["key"] = json!(secret.expose());
        return Ok(printer.json(&record)?);
    }
    // A script that captures the output gets the key and nothing else.
    if !printer.is_terminal() {
        return Ok(printer.secret(secret)?);
    }
    let [id, role, tenant] = ["id", "role", "tenant"].map(|field| cell(&record, field));
    let of = if role == "agent" { format!(" of tenant `{tenant}`") } else { String::new() };
    printer.line(format_args!("made {role} key {id}{of}; it is shown this once:\n"))?;
    printer.secret(secret)?;
    printer.line("")?;
    printer.hint("send it as `Authorization: Bearer …` or `X-API-Key: …`");
    Ok(())
}

fn table(keys: &[Value], now: Timestamp) -> Table {
    let mut table =
        Table::new(["ID", "ROLE", "TENANT", "NAME", "PACKS", "ACTS AS", "MADE", "STATE"]);
    for key in keys {
        let [id, role, tenant, name, packs, act_as, made] =
            ["id", "role", "tenant", "name", "packs", "act_as", "created_at"]
                .map(|field| cell(key, field));
        table.row([id, role, tenant, name, packs, act_as, made, state(key, now)]);
    }
    table
}

fn state(key: &Value, now: Timestamp) -> String {
    let time = |field: &str| key.get(field)?.as_str()?.parse::<Timestamp>().ok();
    match (time("revoked_at"), time("expires_at")) {
        (Some(_), _) => format!("revoked {}", cell(key, "revoked_at")),
        (None, Some(end)) if end <= now => format!("expired {}", cell(key, "expires_at")),
        (None, Some(_)) => format!("until {}", cell(key, "expires_at")),
        (None, None) => "works".to_owned(),
    }
}

/// `90d` from now, a date (its start in UTC), or a time.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let later = || now.checked_add(time::parse(text)?).ok();
    let date = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let end = later().or_else(|| text.parse().ok()).or_else(date);
    let Some(end) = end else {
        return Err(Error::bad_input(
            "`--expires` takes a duration like `90d` or a date like `2027-01-31`",
        ));
    };
    if end <= now {
        return Err(Error::bad_input("`--expires` must lie ahead"));
    }
    Ok(end)
}

pub(in crate::cli) fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).map_err(|_| "`memgate key list` shows the ids there are".to_owned())
}

fn pack(text: &str) -> Result<Pack, String> {
    Pack::parse(text).map_err(|e| e.public().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::captured;

    fn now() -> Timestamp {
        "2026-07-28T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn expiry_is_a_duration_a_date_or_a_time_and_lies_ahead() {
        for (text, end) in [
            ("90d", "2026-10-26T12:00:00Z"),
            ("12h", "2026-07-29T00:00:00Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T10:00:00Z", "2027-01-31T10:00:00Z"),
        ] {
            assert_eq!(expiry(text, now()).unwrap(), end.parse().unwrap(), "{text}");
        }
        for bad in ["", "soon", "0d", "2026-07-28", "1999-01-01", "99999999999d"] {
            assert!(expiry(bad, now()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_script_gets_the_key_alone_and_a_person_is_told_that_it_is_the_only_time() {
        let secret = Secret::new("k7Qd93jf8sLw02Xm".to_owned());
        let record = json!({"id": "abc", "role": "agent", "tenant": "acme"});
        let (printer, out, _) = captured(false);
        show(record.clone(), &secret, false, &printer).unwrap();
        assert_eq!(out.text(), "k7Qd93jf8sLw02Xm\n");
        let (printer, out, err) = captured(true);
        show(record, &secret, false, &printer).unwrap();
        assert!(out.text().contains("this once") && out.text().contains("\nk7Qd93jf8sLw02Xm\n"));
        assert!(!err.text().contains("k7Qd93jf8sLw02Xm"));
    }

    #[test]
    fn a_key_that_does_not_work_says_why() {
        let state = |revoked: Value, expires: Value| {
            state(&json!({"revoked_at": revoked, "expires_at": expires}), now())
        };
        assert_eq!(state(Value::Null, Value::Null), "works");
        let before = json!("2026-07-01T00:00:00Z");
        let after = json!("2026-08-01T00:00:00Z");
        assert_eq!(state(Value::Null, after.clone()), "until 2026-08-01 00:00:00Z");
        assert_eq!(state(Value::Null, before.clone()), "expired 2026-07-01 00:00:00Z");
        assert_eq!(state(before, after), "revoked 2026-07-01 00:00:00Z");
    }
}
