//! `memgate key`: make, show, renew and revoke keys.
//!
//! Every flag of `key create` but the first few takes something away: what a key can do is what
//! policy permits its role, less its bounds, and `key list` says it in a sentence.
//!
//! A key's text exists once: on the terminal, on the pipe that asked for it, or in the file
//! that was named. `--json` gives it as `key` beside the record.

use std::{
    fmt::{self, Display},
    path::{Path, PathBuf},
    time::Duration,
};

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
        action::Access,
        bounds::Bounds,
        clock::{Clock, SystemClock},
        hours::Hours,
        key::{KeyId, Role},
        memory::Tag,
        network::{Network, Networks},
        pack::Pack,
        rate_class::RateClass,
        reach::Tags,
        secret::Secret,
        tenant::TenantLabel,
        tool::{ToolName, Tools},
    },
    registry::keyring::MAX_OVERLAP,
};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; it is shown once
    #[command(after_help = "Examples:\n  \
        memgate key create --tenant acme --name laptop\n  \
        memgate key create --tenant acme --name ci --expires 90d --out ci.key\n  \
        memgate key create --tenant acme --name desk --access read --tag work \\\n    \
            --from 10.0.0.0/8 --hours \"mon-fri 08:00-18:00 Europe/Berlin\"\n  \
        memgate key create --tenant acme --name notes --tool store_memory\n  \
        memgate key create --role operator --name me\n  \
        KEY=$(memgate key create --tenant acme --name script)")]
    Create(Create),
    /// List the keys; no secret is shown
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show everything about one key; no secret is shown
    #[command(after_help = "Example:\n  memgate key show 0k3v9q1mzx7a")]
    Show {
        /// The key's id, as `memgate key list` shows it
        #[arg(value_parser = key_id)]
        id: KeyId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new secret, shown once; the old one works on for a while
    #[command(after_help = "Examples:\n  \
        memgate key rotate 0k3v9q1mzx7a\n  \
        memgate key rotate 0k3v9q1mzx7a --overlap 7d --out new.key\n  \
        memgate key rotate 0k3v9q1mzx7a --overlap 0s        the old one is known to others")]
    Rotate(Rotate),
    /// Revoke a key: its next request is refused and its streams end
    #[command(after_help = "Example:\n  memgate key revoke 0k3v9q1mzx7a")]
    Revoke {
        /// The key's id, as `memgate key list` shows it
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
}

/// Arguments of `key rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The key's id, as `memgate key list` shows it
    #[arg(value_parser = key_id)]
    id: KeyId,
    /// How long the old secret works beside the new one: `24h`, up to `30d`; `0s` ends it now
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = overlap)]
    overlap: Duration,
    /// Write the key to this new file (mode 0600) and do not print it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print record and key as JSON
    #[arg(long)]
    json: bool,
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
    /// A single tool it may call, and no other; can be repeated
    #[arg(long, value_parser = tool, value_name = "TOOL", help_heading = "Bounds")]
    tool: Vec<ToolName>,
    /// `read` for a key that changes nothing
    #[arg(long, value_enum, value_name = "ACCESS", default_value_t = AccessName::Write,
          hide_default_value = true, help_heading = "Bounds")]
    access: AccessName,
    /// It sees only memories with this tag, and what it stores gets it; can be repeated
    #[arg(long, value_parser = tag, value_name = "TAG", help_heading = "Bounds")]
    tag: Vec<Tag>,
    /// A network or address it works from, `10.0.0.0/8`; can be repeated
    #[arg(long, value_parser = network, value_name = "NETWORK", help_heading = "Bounds")]
    from: Vec<Network>,
    /// When it works: "mon-fri 08:00-18:00 Europe/Berlin"
    #[arg(long, value_parser = hours, value_name = "HOURS", help_heading = "Bounds")]
    hours: Option<Hours>,
    /// A rate of `limits.classes` in the place of `limits.per_key`
    #[arg(long, value_parser = rate_class, value_name = "CLASS", help_heading = "Bounds")]
    rate_class: Option<RateClass>,
    /// When it stops working: `90d`, `12h`, or a date like `2027-01-31`
    #[arg(long, value_name = "WHEN", help_heading = "Bounds")]
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AccessName {
    /// only what changes nothing
    Read,
    /// whatever policy permits
    Write,
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
            Self::Show { id, json } => {
                let key = Registrar::open(sources)?.key(&id)?;
                if json {
                    return Ok(printer.json(&key)?);
                }
                Ok(printer.line(card(&key, SystemClock::new().now()))?)
            }
            Self::Rotate(rotate) => rotate.run(sources, printer),
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
        is_free(self.out.as_deref())?;
        let some = |is_empty: bool| (!is_empty).then_some(());
        let bounds = Bounds {
            tools: some(self.tool.is_empty()).map(|()| Tools::of(self.tool)).transpose()?,
            access: match self.access {
                AccessName::Read => Access::Read,
                AccessName::Write => Access::Write,
            },
            tags: some(self.tag.is_empty()).map(|()| Tags::of(self.tag)).transpose()?,
            from: some(self.from.is_empty()).map(|()| Networks::of(self.from)).transpose()?,
            hours: self.hours,
            rate_class: self.rate_class,
        };
        let packs = (!self.pack.is_empty()).then(|| self.pack.into_iter().collect());
        let wish = Wish {
            role,
            tenant: self.tenant,
            name: self.name.unwrap_or_default(),
            packs,
            act_as: self.act_as,
            bounds,
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
        let Some(path) = &self.out else {
            return show(record, &secret, "made", self.json, printer);
        };
        keep(path, &record, &secret, "made", self.json, printer)
    }
}

impl Rotate {
    fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        is_free(self.out.as_deref())?;
        let (record, secret) = Registrar::open(sources)?.rotate_key(&self.id, self.overlap)?;
        let until = cell(&record, "old_works_until");
        match &self.out {
            None => show(record, &secret, "renewed", self.json, printer)?,
            Some(path) => keep(path, &record, &secret, "renewed", self.json, printer)?,
        }
        printer.hint(match until.as_str() {
            "-" => "the old secret works no more".to_owned(),
            until => format!("the old secret works until {until}; move every client over by then"),
        });
        Ok(())
    }
}

/// Asked before a key is made: a key whose text then has no place to go would be lost.
fn is_free(out: Option<&Path>) -> Result<(), Error> {
    match out.filter(|path| path.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(path) => {
            let sentence = format!("{} exists already; name another file", path.display());
            Err(Error::bad_input(sentence))
        }
    }
}

/// Writes a secret to its file; `done` is what was done with its key.
fn keep(
    path: &Path,
    record: &Value,
    secret: &Secret,
    done: &str,
    json: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    secret_file::write(path, secret)?;
    if json {
        return Ok(printer.json(record)?);
    }
    let id = cell(record, "id");
    Ok(printer.line(format_args!("{done} key {id} and wrote it to {}", path.display()))?)
}

fn show(
    mut record: Value,
    secret: &Secret,
    done: &str,
    json: bool,
    printer: &Printer,
) -> Result<(), Failure> {
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
    printer.line(format_args!("{done} {role} key {id}{of}; it is shown this once:\n"))?;
    printer.secret(secret)?;
    printer.line("")?;
    printer.hint("send it as `Authorization: Bearer …` or `X-API-Key: …`");
    Ok(())
}

fn table(keys: &[Value], now: Timestamp) -> Table {
    let mut table = Table::new(["ID", "NAME", "CAN", "LAST USED", "STATE"]);
    for key in keys {
        let [id, name, can] = ["id", "name", "can"].map(|field| cell(key, field));
        table.row([id, name, can, last_use(key), state(key, now)]);
    }
    table
}

/// "2026-11-27 09:12:00Z by cursor from 10.0.0.7", or a dash.
fn last_use(key: &Value) -> String {
    let [at, client, address] =
        ["last_use/at", "last_use/client", "last_use/address"].map(|field| cell(key, field));
    let part = |word: &str, text: &str| match text {
        "-" => String::new(),
        text => format!(" {word} {text}"),
    };
    format!("{at}{}{}", part("by", &client), part("from", &address))
}

/// Everything about one key, a line each; what is not there is left out.
fn card(key: &Value, now: Timestamp) -> Card {
    let mut lines = Vec::new();
    for (name, field) in [
        ("id", "id"),
        ("name", "name"),
        ("role", "role"),
        ("tenant", "tenant"),
        ("can", "can"),
        ("packs", "packs"),
        ("tools", "tools"),
        ("access", "access"),
        ("tags", "tags"),
        ("from", "from"),
        ("hours", "hours"),
        ("rate class", "rate_class"),
        ("acts as", "act_as"),
        ("made", "created_at"),
        ("expires", "expires_at"),
        ("old secret", "old_works_until"),
        ("attention", "attention"),
    ] {
        lines.push((name, cell(key, field)));
    }
    lines.push(("last used", last_use(key)));
    lines.push(("state", state(key, now)));
    lines.retain(|(_, text)| text != "-");
    Card(lines)
}

/// Names and what stands beside them.
struct Card(Vec<(&'static str, String)>);

impl Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, text)) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{name:<10}  {}", text.replace('\n', "\u{fffd}"))?;
        }
        Ok(())
    }
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

fn overlap(text: &str) -> Result<Duration, String> {
    let parsed = time::parse(text.trim()).filter(|overlap| *overlap <= MAX_OVERLAP);
    parsed.ok_or_else(|| "write a time of `30d` at most, like `24h`, or `0s` for none".to_owned())
}

/// A parser of one word, as `clap` wants it.
macro_rules! parsers {
    ($($name:ident: $value:ty;)+) => {$(
        fn $name(text: &str) -> Result<$value, String> {
            <$value>::parse(text).map_err(|e| e.public().to_owned())
        }
    )+};
}

parsers! {
    pack: Pack;
    tool: ToolName;
    tag: Tag;
    network: Network;
    hours: Hours;
    rate_class: RateClass;
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
        show(record.clone(), &secret, "made", false, &printer).unwrap();
        assert_eq!(out.text(), "k7Qd93jf8sLw02Xm\n");
        let (printer, out, err) = captured(true);
        show(record, &secret, "made", false, &printer).unwrap();
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
