//! How a command ends when it does not end well, and with which exit code.

use std::process::ExitCode;

use super::output::Printer;
use crate::{
    config::problem::Problems,
    domain::{Error, Kind},
};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command line cannot be understood; also `--help` and `--version`, which end the
    /// program from inside the parser.
    Usage(clap::Error),
    /// The settings are wrong or unsafe.
    Settings(Problems),
    /// Something was tried and failed.
    Failed(Error),
    /// A check found faults and has printed them.
    Found,
    /// The same, and the faults are in the settings.
    Refused,
}

/// Done was nothing.
const FAILED: u8 = 1;
/// Wrong use, or settings that are unsafe.
const REFUSED: u8 = 2;

impl Failure {
    /// Says what is wrong, one sentence a line, and gives the exit code.
    #[must_use]
    pub fn report(self, printer: &Printer) -> ExitCode {
        match self {
            Self::Usage(error) => usage(&error, printer),
            Self::Settings(problems) => {
                problems.iter().for_each(|problem| printer.error(problem));
                ExitCode::from(REFUSED)
            }
            Self::Failed(error) => {
                printer.error(&error);
                ExitCode::from(if error.kind() == Kind::BadInput { REFUSED } else { FAILED })
            }
            Self::Found => ExitCode::from(FAILED),
            Self::Refused => ExitCode::from(REFUSED),
        }
    }
}

/// Help and version go to stdout and are no failure, as the parser has it.
fn usage(error: &clap::Error, printer: &Printer) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        printer.complain(text.trim_end());
        return ExitCode::from(REFUSED);
    }
    match printer.line(text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Settings(problems)
    }
}
