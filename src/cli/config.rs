//! `memgate config`: what is set, where it comes from, and whether memgate would start with it.

use std::fmt::Write as _;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    failure::Failure,
    output::{Printer, Table},
    posture,
};
use crate::{
    config::{
        Settings, advice, env,
        issuer::{self, Field, Issuer, table::Written},
        load::{self, Loaded, Origin, Sources},
        problem::{Problem, Problems},
        setting::{self, Setting},
    },
    db::data_dir::DataDir,
};

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that memgate would refuse to start with, and how to put it right
    #[command(after_help = "Exit codes: 0 it would start, 2 it would not; with --posture also 1: \
        it would start, and something is a danger.\n\nExamples:\n  \
        memgate config check\n  \
        memgate config check --posture          what is weaker than it could be, and the fix\n  \
        memgate config check --posture --json   for a pipeline")]
    Check {
        /// Report everything that is weaker than it could be: settings, files, keys, process
        #[arg(long)]
        posture: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show every setting with its value and where it comes from; secrets are hidden
    #[command(after_help = "A setting can be given in three ways, the last one wins:\n  \
        in `memgate.toml` (or `--config FILE`):  [listen]\n  \
                                                 port = 3001\n  \
        in the environment:                      MEMGATE_LISTEN__PORT=3001\n  \
        on the command line:                     --set listen.port=3001")]
    Show {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
        /// Show only what differs from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// Print the reference of settings and environment names as Markdown
    #[command(hide = true)]
    Reference,
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        match self {
            Self::Check { posture: true, json } => posture::check(sources, json, printer),
            Self::Check { posture: false, json } => check(sources, json, printer),
            Self::Show { json, changed } => show(sources, json, changed, printer),
            Self::Reference => Ok(printer.line(reference().trim_end())?),
        }
    }
}

/// Everything that would keep a server from starting with these settings, its data directory
/// included.
pub(in crate::cli) fn problems(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let (loaded, mut problems) = load::survey(sources);
    let directory = DataDir::check(&loaded.settings.storage.data_dir);
    problems.extend(directory.iter().map(|e| Problem::sentence(e.public())));
    (loaded, problems)
}

fn check(sources: &Sources, json: bool, printer: &Printer) -> Result<(), Failure> {
    let (loaded, problems) = problems(sources);
    let advice = advice::advise(&loaded);
    let texts = |list: &[Problem]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    if json {
        printer.json(&json!({ "problems": texts(&problems), "advice": texts(&advice) }))?;
        return if problems.is_empty() { Ok(()) } else { Err(Failure::Refused) };
    }
    for advice in &advice {
        printer.hint(advice);
    }
    Problems::check(problems)?;
    Ok(printer.line("memgate would start with these settings")?)
}

fn show(sources: &Sources, json: bool, changed: bool, printer: &Printer) -> Result<(), Failure> {
    let (loaded, problems) = load::survey(sources);
    let rows = setting::all().filter(|s| !changed || loaded.origin(s.key) != Origin::Default);
    if json {
        let rows = rows.map(|s| row(s, &loaded));
        let rows: Vec<Value> = rows.chain(issuers(&loaded, changed).map(issuer_row)).collect();
        printer.json(&json!({ "settings": rows }))?;
    } else {
        let mut table = Table::new(["SETTING", "VALUE", "FROM", "WHAT TO WRITE"]);
        for setting in rows {
            let origin = loaded.origin(setting.key).to_string();
            table.row([setting.key.to_owned(), value(setting, &loaded), origin, form(setting)]);
        }
        for (key, field, written) in issuers(&loaded, changed) {
            let origin = written.field(field.name).to_string();
            table.row([key, (field.show)(&written.issuer), origin, field_form(field)]);
        }
        printer.line(table)?;
    }
    Ok(Problems::check(problems)?)
}

fn row(setting: &Setting, loaded: &Loaded) -> Value {
    json!({
        "key": setting.key,
        "value": value(setting, loaded),
        "from": loaded.origin(setting.key).to_string(),
        "form": form(setting),
        "summary": setting.summary,
    })
}

/// Every field of every table `[[auth.issuer]]`, with the key it is shown under. None of them is
/// a secret.
fn issuers(
    loaded: &Loaded,
    changed: bool,
) -> impl Iterator<Item = (String, &'static Field, &Written)> {
    loaded.issuers().iter().enumerate().flat_map(move |(i, written)| {
        issuer::FIELDS
            .iter()
            .filter(move |field| !changed || written.field(field.name) != Origin::Default)
            .map(move |field| (format!("{}[{i}].{}", issuer::KEY, field.name), field, written))
    })
}

fn issuer_row((key, field, written): (String, &Field, &Written)) -> Value {
    json!({
        "key": key,
        "value": (field.show)(&written.issuer),
        "from": written.field(field.name).to_string(),
        "form": field_form(field),
        "summary": field.summary,
    })
}

fn field_form(field: &Field) -> String {
    match (field.bounds)() {
        Some((low, high)) => format!("{}, {low} to {high}", field.form),
        None => field.form.to_owned(),
    }
}

/// SECURITY: a secret's own `show` is empty, so not even its length can be seen (test
/// `i5_a_secret_is_shown_as_set_or_not`).
fn value(setting: &Setting, loaded: &Loaded) -> String {
    match (setting.secret, loaded.origin(setting.key)) {
        (true, Origin::Default) => "none".to_owned(),
        (true, _) => "(hidden)".to_owned(),
        (false, _) => (setting.show)(&loaded.settings),
    }
}

fn form(setting: &Setting) -> String {
    match (setting.bounds)() {
        Some((low, high)) => format!("{}, {low} to {high}", setting.form),
        None => setting.form.to_owned(),
    }
}

/// The fields of `[[auth.issuer]]`, as the manual's page on identity shows them.
#[must_use]
pub fn issuer_reference() -> String {
    let mut text =
        String::from("| field | default | what to write | what it is |\n|---|---|---|---|\n");
    let defaults = Issuer::default();
    for field in issuer::FIELDS {
        let default = (field.show)(&defaults);
        let default = if default.is_empty() { "none".to_owned() } else { default };
        let (name, form, summary) = (field.name, field_form(field), field.summary);
        let _ = writeln!(text, "| `{name}` | `{default}` | {form} | {summary} |");
    }
    text
}

/// The two tables of the README: settings, and the names without the pattern.
#[must_use]
pub fn reference() -> String {
    let mut text =
        String::from("| setting | default | what to write | what it is |\n|---|---|---|---|\n");
    let defaults = Settings::default();
    for setting in setting::all() {
        let default = (setting.show)(&defaults);
        let default = if default.is_empty() { "none".to_owned() } else { default };
        let (key, form, summary) = (setting.key, form(setting), setting.summary);
        let _ = writeln!(text, "| `{key}` | `{default}` | {form} | {summary} |");
    }
    text.push_str("\n| name | setting | meaning |\n|---|---|---|\n");
    for plain in env::PLAIN {
        let key = plain.key.map_or_else(|| "-".to_owned(), |key| format!("`{key}`"));
        let summary = plain.key.and_then(setting::find).map_or("", |s| s.summary);
        let meaning = if plain.meaning.is_empty() { summary } else { plain.meaning };
        let _ = writeln!(text, "| `{}` | {key} | {meaning} |", plain.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::tests::captured;

    const KEY: &str = "k7Qd93jf8sLw02Xm";

    fn sources(directory: &std::path::Path, variables: &[(&str, &str)]) -> Sources {
        Sources {
            directory: directory.to_owned(),
            environment: variables.iter().copied().collect(),
            ..Sources::default()
        }
    }

    #[test]
    fn i5_a_secret_is_shown_as_set_or_not() {
        let directory = tempfile::tempdir().unwrap();
        let sources = sources(directory.path(), &[("MCP_API_KEY", KEY), ("PORT", "3001")]);
        for json in [false, true] {
            let (printer, out, _) = captured(false);
            Command::Show { json, changed: true }.run(&sources, &printer).unwrap();
            let text = out.text();
            assert!(text.contains("(hidden)") && text.contains("MCP_API_KEY"), "{text}");
            assert!(text.contains("3001") && !text.contains(KEY), "{text}");
            assert!(!text.contains("auth.admin_key"), "{text}");
        }
    }

    #[test]
    fn check_says_everything_at_once_the_data_directory_included() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = data.to_str().unwrap();
        let sources = sources(directory.path(), &[("MEMGATE_DATA_DIR", data), ("HOST", "0.0.0.0")]);
        let (printer, ..) = captured(false);
        let Err(Failure::Settings(problems)) =
            Command::Check { posture: false, json: false }.run(&sources, &printer)
        else {
            panic!("refused")
        };
        let text = problems.to_string();
        assert!(text.contains("--behind-proxy") && text.contains("chmod 700"), "{text}");
    }

    #[test]
    fn issuers_are_shown_field_by_field_with_their_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = "[auth]\nresource = \"https://m.example/mcp\"\n\n[[auth.issuer]]\nissuer = \
                    \"https://i.example\"\ndiscovery = true\nleeway = \"9s\"\n";
        std::fs::write(directory.path().join("memgate.toml"), file).unwrap();
        let sources = sources(directory.path(), &[]);
        let (printer, out, _) = captured(false);
        Command::Show { json: true, changed: true }.run(&sources, &printer).unwrap();
        let shown: Value = serde_json::from_str(&out.text()).unwrap();
        let rows = shown["settings"].as_array().unwrap();
        let leeway = rows.iter().find(|row| row["key"] == "auth.issuer[0].leeway").unwrap();
        assert_eq!(leeway["value"], "9s");
        assert!(leeway["from"].as_str().unwrap().ends_with("memgate.toml line 7"), "{leeway}");
        assert!(rows.iter().all(|row| row["key"] != "auth.issuer[0].types"));
    }

    #[test]
    fn the_manual_has_the_fields_of_an_issuer_as_they_are() {
        let page: String = include_str!("../manual/identity.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//!"))
            .flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"])
            .collect();
        let table = issuer_reference();
        assert!(page.contains(&table), "the table in `manual/identity.rs` should be:\n{table}");
    }

    #[test]
    fn the_reference_has_every_setting_and_every_plain_name() {
        let text = reference();
        for setting in setting::all() {
            assert!(text.contains(&format!("| `{}` |", setting.key)));
        }
        for plain in env::PLAIN {
            assert!(text.contains(&format!("| `{}` |", plain.name)));
        }
    }
}
