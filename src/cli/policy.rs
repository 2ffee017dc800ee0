//! `memgate policy`: check policies, run their cases, show what they permit.
//!
//! Without a directory the commands look at what the server would use: `policy.directory`, or
//! the built-in set. Nothing is changed and no server is needed, but for `explain`.

mod explain;
mod template;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::{failure::Failure, output::Printer};
use crate::{
    config::load::{self as settings, Sources},
    policy::{cases, load, matrix, problem::Problem},
};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that is wrong with the policies, with file and line
    #[command(after_help = "Example:\n  memgate policy check ./policies")]
    Check {
        /// The directory to check instead of the one in the settings
        directory: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run the cases in the directory's `tests/*.json`
    #[command(after_help = "Example:\n  memgate policy test --policies ./policies")]
    Test {
        /// The directory to use instead of the one in the settings
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show who may do what, as a table
    Matrix {
        /// The directory to use instead of the one in the settings
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
    },
    /// List, show and write policies for common wishes
    #[command(subcommand)]
    Template(template::Command),
    /// Say why the running server refused a request: which layer, which policy, about what
    #[command(after_help = "Example:\n  memgate policy explain 0k3v9q1mzx7a2b4\n\n\
        The id is in the answer that the caller got (`request_id`, `instance`, `X-Request-Id`).")]
    Explain {
        /// The id of the refused request
        #[arg(value_parser = explain::request_id)]
        request_id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        match self {
            Self::Check { directory, json } => {
                check(chosen(directory, sources)?.as_deref(), json, printer)
            }
            Self::Test { policies, json } => {
                test(chosen(policies, sources)?.as_deref(), json, printer)
            }
            Self::Matrix { policies } => {
                let directory = chosen(policies, sources)?;
                let set = usable(load::load(directory.as_deref()), printer)?;
                Ok(printer.line(matrix::table(&set)?.trim_end())?)
            }
            Self::Template(command) => command.run(printer),
            Self::Explain { request_id, json } => explain::run(&request_id, json, sources, printer),
        }
    }
}

fn chosen(named: Option<PathBuf>, sources: &Sources) -> Result<Option<PathBuf>, Failure> {
    match named {
        Some(directory) => Ok(Some(directory)),
        None => Ok(settings::read(sources)?.settings.policy.directory),
    }
}

fn check(directory: Option<&Path>, json: bool, printer: &Printer) -> Result<(), Failure> {
    let checked = load::load(directory);
    if json {
        let (policies, found) = match &checked {
            Ok(set) => (set.ids(), [].as_slice()),
            Err(found) => (Vec::new(), found.as_slice()),
        };
        let problems: Vec<_> = found.iter().map(ToString::to_string).collect();
        printer.json(&json!({ "policies": policies, "problems": problems }))?;
        return if checked.is_ok() { Ok(()) } else { Err(Failure::Refused) };
    }
    let set = usable(checked, printer)?;
    let remembered = if set.reads_circumstances() {
        "some look at the time, so every request is decided anew"
    } else {
        "decisions are remembered until they change"
    };
    Ok(printer.line(format_args!("{} policies pass; {remembered}", set.ids().len()))?)
}

fn test(directory: Option<&Path>, json: bool, printer: &Printer) -> Result<(), Failure> {
    let set = usable(load::load(directory), printer)?;
    let files = usable(load::cases(directory), printer)?;
    let outcomes = usable(cases::run(&set, &files), printer)?;
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        printer.json(&json!({ "cases": outcomes, "failed": failed }))?;
    } else {
        for outcome in outcomes.iter().filter(|outcome| !outcome.passed) {
            printer.line(outcome)?;
        }
        printer.line(format_args!("{} cases, {failed} failed", outcomes.len()))?;
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Found) }
}

/// What was loaded, or a complaint about each problem.
fn usable<T>(loaded: Result<T, Vec<Problem>>, printer: &Printer) -> Result<T, Failure> {
    loaded.map_err(|found| {
        for problem in &found {
            printer.error(problem);
        }
        Failure::Refused
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;
    use crate::cli::output::tests::captured;

    /// The command line as it is typed after `memgate policy`.
    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn run(arguments: &[&str]) -> (Result<(), Failure>, String, String) {
        let line = [&["policy"], arguments].concat();
        let (printer, out, err) = captured(false);
        let result = Line::try_parse_from(line).unwrap().command.run(&Sources::default(), &printer);
        (result, out.text(), err.text())
    }

    fn directory(policy: &str, case: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("tests")).unwrap();
        fs::write(directory.path().join("own.cedar"), policy).unwrap();
        let cases = format!("{{\"about\": \"x\", \"cases\": [{case}]}}");
        fs::write(directory.path().join("tests/own.json"), cases).unwrap();
        directory
    }

    const POLICY: &str = "@id(\"own\") permit (principal, action, resource is Tenant);";
    const CASE: &str = r#"{"principal": {"role": "agent", "tenant": "acme"}, "why": "its own",
        "action": "memory_read", "resource": {"tenant": "acme"}, "expect": "allow"}"#;

    #[test]
    fn the_built_in_policies_pass_their_check_and_their_cases() {
        let (result, out, err) = run(&["check"]);
        assert!(result.is_ok(), "{err}");
        assert!(out.contains("8 policies pass"), "{out}");
        let (result, out, _) = run(&["test"]);
        assert!(result.is_ok() && out.contains(" cases, 0 failed"), "{out}");
        let (_, out, _) = run(&["matrix"]);
        assert_eq!(out, include_str!("../../policies/matrix.txt"));
    }

    #[test]
    fn a_broken_directory_is_refused_with_file_and_line() {
        let directory = directory("\npermit (principal);", CASE);
        let path = directory.path().to_str().unwrap();
        let (result, out, err) = run(&["check", path]);
        assert!(matches!(result, Err(Failure::Refused)));
        assert!(out.is_empty() && err.contains("own.cedar:2: "), "{err}");
        let (result, out, _) = run(&["check", path, "--json"]);
        assert!(matches!(result, Err(Failure::Refused)));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(answer["problems"][0].as_str().unwrap().contains("own.cedar:2: "));
    }

    #[test]
    fn a_failing_case_is_shown_and_ends_with_1() {
        let directory = directory(POLICY, &CASE.replace("allow", "deny"));
        let path = directory.path().to_str().unwrap();
        let (result, out, _) = run(&["test", "--policies", path]);
        assert!(matches!(result, Err(Failure::Found)));
        assert!(out.contains("FAILED: ") && out.contains("allowed by own: its own"), "{out}");
        let (result, out, _) = run(&["test", "--policies", path, "--json"]);
        assert!(matches!(result, Err(Failure::Found)));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&answer["failed"], &answer["cases"][0]["passed"]), (&json!(1), &json!(false)));
    }

    #[test]
    fn cases_that_are_not_there_are_wrong_use() {
        let directory = directory(POLICY, CASE);
        fs::remove_file(directory.path().join("tests/own.json")).unwrap();
        let path = directory.path().to_str().unwrap();
        let (result, _, err) = run(&["test", "--policies", path]);
        assert!(matches!(result, Err(Failure::Refused)));
        assert!(err.contains("holds no `*.json` file"), "{err}");
    }
}
