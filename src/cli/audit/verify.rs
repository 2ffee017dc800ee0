//! `memgate audit verify`.

use std::path::PathBuf;

use clap::Args;

use super::choice::Place;
use crate::{
    audit::{
        checkpoint::PublicKey,
        head::Head,
        verify::{Ask, Fault, Report, verify},
    },
    cli::{failure::Failure, output::Printer},
    config::load::Sources,
};

/// From this size on the progress is told.
const LONG: u64 = 32 << 20;

/// What to verify, and against what.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: sound; 1: something was changed, removed, moved or cut off.\n\n\
                  Whoever can write the files can also put the key beside them. Keep a copy of \
                  signing.pub and now and then of a head elsewhere, and name them here.\n\n\
                  Examples:\n  \
                  memgate audit verify\n  \
                  memgate audit verify --dir /backup/audit --public-key /safe/signing.pub"
)]
pub struct Arguments {
    /// Another copy of the log than that of the data directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A key whose signatures count, as text or the file that holds it; may be given again. Without
    /// it, `signing.pub` beside the log
    #[arg(long, value_name = "KEY")]
    public_key: Vec<String>,
    /// A head that was kept elsewhere, `NUMBER:HASH`, which the log must hold; may be given again
    #[arg(long, value_name = "HEAD", value_parser = head)]
    head: Vec<Head>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let place = Place::find(self.dir, sources)?;
        let keys = if self.public_key.is_empty() {
            vec![PublicKey::read(&place.directory)?]
        } else {
            self.public_key.iter().map(|text| public_key(text)).collect::<Result<_, _>>()?
        };
        let ask = Ask { keys: &keys, heads: &self.head, growing: place.growing };
        let mut told = 0;
        let mut progress = |read: u64, total: u64| {
            let percent = (read * 100).checked_div(total).unwrap_or(100);
            if total >= LONG && percent >= told + 10 {
                told = percent;
                printer.hint(format_args!("{percent} % verified"));
            }
        };
        let report = verify(&place.directory, &ask, &mut progress)?;
        if self.json {
            printer.json(&report)?;
        } else {
            print(&report, printer)?;
        }
        if report.sound { Ok(()) } else { Err(Failure::Found) }
    }
}

fn print(report: &Report, printer: &Printer) -> Result<(), Failure> {
    for Fault { file, line, record, what } in &report.faults {
        let line = line.map(|n| format!(" line {n}")).unwrap_or_default();
        let record = record.map(|n| format!(", record {n}")).unwrap_or_default();
        printer.error(format_args!("{file}{line}{record}: {what}"));
    }
    let said = if report.sound { "sound" } else { "NOT sound" };
    printer.line(format_args!("the audit log is {said}"))?;
    let Some(last) = report.last else { return Ok(printer.line("  it holds no record")?) };
    let moment = |time: Option<jiff::Timestamp>| {
        time.map_or("-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
    };
    let Report { files, first, from, until, signatures, unsigned, .. } = report;
    printer.line(format_args!("  records     {first} to {}, files: {files}", last.seq))?;
    printer.line(format_args!("  time        {} to {}", moment(*from), moment(*until)))?;
    printer.line(format_args!("  signatures  {signatures}; records not signed yet: {unsigned}"))?;
    Ok(printer.line(format_args!("  head        {last}"))?)
}

fn head(text: &str) -> Result<Head, String> {
    Head::parse(text).map_err(|e| e.public().to_owned())
}

fn public_key(text: &str) -> Result<PublicKey, crate::domain::Error> {
    // A key is 44 characters of base64, and no file is called that.
    let file = std::fs::read_to_string(text);
    PublicKey::parse(file.as_deref().unwrap_or(text))
}
