//! `memgate audit export`.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use clap::Args;

use super::choice::{Choice, Place};
use crate::{
    audit::read::{Filter, Reader, Shown},
    cli::{failure::Failure, output::Printer},
    config::load::Sources,
    domain::{Error, Kind},
};

/// Which records to write, and where.
#[derive(Debug, Args)]
#[command(
    after_help = "Each line is a record as it stands in the log, with its hash. All of a log, with \
                  its signatures (`--signatures`), can be verified line by line by anybody who \
                  reads the manual's page on it.\n\n\
                  Example:\n  \
                  memgate audit export --tenant acme --since 2026-07-01T00:00:00Z --out july.jsonl"
)]
pub struct Arguments {
    /// A new file, for its owner alone; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The signatures too
    #[arg(long)]
    signatures: bool,
    #[command(flatten)]
    choice: Choice,
}

impl Arguments {
    pub(super) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let filter = Filter { checkpoints: self.signatures, ..self.choice.filter()? };
        let mut reader = Reader::new(Place::find(self.choice.dir, sources)?.directory, filter);
        let Some(path) = self.out else {
            return Ok(reader.read(&mut |shown: Shown| printer.line(&shown.line))?);
        };
        let failed = |cause: std::io::Error| {
            let sentence = format!("{} cannot be written", path.display());
            Error::new(Kind::Unavailable, sentence).caused_by(cause)
        };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = BufWriter::new(file.map_err(failed)?);
        let mut count = 0_u64;
        reader.read(&mut |shown: Shown| {
            count += 1;
            writeln!(file, "{}", shown.line).map_err(failed)
        })?;
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
        Ok(printer.line(format_args!("wrote {count} records to {}", path.display()))?)
    }
}
