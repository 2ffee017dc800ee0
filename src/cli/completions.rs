//! `memgate completions`: a script for the shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, failure::Failure, output::Printer};
use crate::domain::Error;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    memgate completions bash > ~/.local/share/bash-completion/completions/memgate\n  \
    memgate completions zsh > \"${fpath[1]}/_memgate\"\n  \
    memgate completions fish > ~/.config/fish/completions/memgate.fish")]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    pub(in crate::cli) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "memgate", &mut script);
        let script = String::from_utf8(script).map_err(Error::internal)?;
        Ok(printer.line(script.trim_end())?)
    }
}
