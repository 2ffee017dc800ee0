//! `memgate audit`: verify, show and export the record of decisions.
//!
//! These commands read the log's own files, so they work without a server, beside one, and on a
//! copy anywhere else (`--dir`).

mod choice;
mod export;
mod tail;
mod verify;

use std::{io::Read as _, path::PathBuf};

use clap::Subcommand;

use self::choice::Place;
use super::{failure::Failure, output::Printer};
use crate::{audit::digest::Digester, config::load::Sources, domain::Error};

/// What to do with the record of decisions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify that no record was changed, removed, moved or cut off
    Verify(verify::Arguments),
    /// Show the last records
    Tail(tail::Arguments),
    /// Write records as JSON lines, as they stand in the log
    Export(export::Arguments),
    /// Print the digest that a text has as an argument in the records
    #[command(
        after_help = "The text is read from standard input. Example:\n  printf %s \"the memory\" | memgate audit digest"
    )]
    Digest {
        /// Another copy of the log than that of the data directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        match self {
            Self::Verify(arguments) => arguments.run(sources, printer),
            Self::Tail(arguments) => arguments.run(sources, printer),
            Self::Export(arguments) => arguments.run(sources, printer),
            Self::Digest { dir } => {
                let digester = Digester::read(&Place::find(dir, sources)?.directory)?;
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|e| Error::bad_input("standard input is no text").caused_by(e))?;
                Ok(printer.line(digester.text(&text))?)
            }
        }
    }
}

#[cfg(test)]
mod tests;
