//! `memgate audit tail`.

use std::{thread, time::Duration};

use clap::Args;
use serde_json::Value;

use super::choice::{Choice, Place};
use crate::{
    audit::read::{Reader, Shown},
    cli::{
        failure::Failure,
        output::{Printer, Table},
        registrar::cell,
    },
    config::load::Sources,
    domain::Result,
};

/// Between two looks for new records.
const PACE: Duration = Duration::from_millis(250);

/// Which records to show, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  memgate audit tail --outcome denied --since 24h\n  \
                  memgate audit tail --tenant acme --follow")]
pub struct Arguments {
    /// How many of the last records
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
    /// Go on with new ones until interrupted
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    choice: Choice,
    /// Print each record as a line of JSON, as it stands in the log
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let mut reader = Reader::new(
            Place::find(self.choice.dir.clone(), sources)?.directory,
            self.choice.filter()?,
        );
        let last = reader.tail(self.lines)?;
        if self.json {
            last.iter().try_for_each(|shown| printer.line(&shown.line))?;
        } else {
            let mut table =
                Table::new(["TIME", "WHO", "WHAT", "ON", "OUTCOME", "WHY", "ADDRESS", "REQUEST"]);
            for shown in &last {
                table.row(row(&shown.members));
            }
            printer.line(table)?;
        }
        if !self.follow {
            return Ok(());
        }
        loop {
            reader.read(&mut |shown: Shown| {
                if self.json {
                    return printer.line(&shown.line);
                }
                printer.line(row(&shown.members).join("  "))
            })?;
            thread::sleep(PACE);
        }
    }
}

/// A record as cells.
pub(super) fn row(record: &Value) -> [String; 8] {
    let text = |pointer: &str| cell(record, pointer);
    let who = match (text("who/label"), text("who/key")) {
        (_, key) if key == "-" && text("who/claimed") != "-" => {
            format!("{}?", text("who/claimed"))
        }
        (label, key) if label == "-" => key,
        (label, key) => format!("{label}/{key}"),
    };
    let why = match (text("layer"), text("policies"), text("detail")) {
        (layer, policies, _) if layer != "-" && policies != "-" => format!("{layer}: {policies}"),
        (layer, _, detail) if layer != "-" && detail != "-" => format!("{layer}: {detail}"),
        (layer, ..) if layer != "-" => layer,
        (_, policies, _) if policies != "-" => policies,
        (_, _, detail) => detail,
    };
    let what = match text("what") {
        what if what == "-" => text("event"),
        what => what,
    };
    let on = match text("target") {
        target if target == "-" => text("resource"),
        target => target,
    };
    [text("time"), who, what, on, text("outcome"), why, text("who/address"), text("request")]
}
