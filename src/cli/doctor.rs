//! `memgate doctor`: is everything in order, and if not, what to do.
//!
//! One file a family of checks; each gives [`Finding`]s and none changes anything. A check that
//! cannot be made because an earlier one failed says so instead of guessing.

mod certificates;
mod clock;
mod data;
mod finding;
mod health;
mod ports;
mod settings;
mod store;

pub use finding::{Finding, Verdict};

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::{client::Client, failure::Failure, output::Printer};
use crate::{
    config::{
        Settings,
        load::{Loaded, Sources},
    },
    db::paths::Paths,
    domain::{
        Result,
        clock::{Clock, SystemClock},
    },
};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    memgate doctor\n  \
    memgate doctor --json\n  \
    memgate doctor --health                              is the configured listener alive?\n  \
    memgate doctor --health https://127.0.0.1:3000/healthz")]
pub struct Arguments {
    /// Only ask a running server whether it is alive; for container health checks
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    health: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the checks look at.
pub(in crate::cli::doctor) struct Patient {
    /// Settings, as far as they could be read.
    pub loaded: Loaded,
    /// Whether a server runs on the data directory.
    pub server_runs: bool,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
}

impl Patient {
    /// The settings.
    pub(in crate::cli::doctor) fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// What lies where.
    pub(in crate::cli::doctor) fn paths(&self) -> Paths {
        Paths::below(&self.settings().storage.data_dir)
    }
}

impl Arguments {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        if let Some(url) = self.health {
            let url = Some(url).filter(|url| !url.is_empty());
            return Ok(health::ask(sources, url.as_deref(), printer)?);
        }
        let findings = examine(sources)?;
        if self.json {
            printer.json(&json!({ "findings": findings }))?;
        } else {
            for finding in &findings {
                printer.line(finding)?;
            }
        }
        let is_wrong = findings.iter().any(|f| f.verdict == Verdict::Wrong);
        if is_wrong { Err(Failure::Found) } else { Ok(()) }
    }
}

fn examine(sources: &Sources) -> Result<Vec<Finding>> {
    let (loaded, problems) = super::config::problems(sources);
    let mut findings = settings::examine(&loaded, &problems);
    let socket = Paths::below(&loaded.settings.storage.data_dir).control_socket();
    let server_runs = Client::find(socket)?.is_some();
    let patient = Patient { loaded, server_runs, clock: Arc::new(SystemClock::new()) };
    findings.extend(data::examine(&patient));
    findings.extend(ports::examine(&patient));
    let (store, newest) = store::examine(&patient);
    findings.extend(store);
    findings.extend(certificates::examine(&patient));
    findings.extend(clock::examine(patient.clock.now(), newest));
    Ok(findings)
}

#[cfg(test)]
mod tests;
