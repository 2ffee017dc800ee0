//! The command line: one file a command family.
//!
//! A command reads its arguments, calls the rooms to its left, and says what came out through
//! one [`Printer`]. It decides nothing about safety and keeps no rule of its own. Exit codes: 0
//! done, 1 failed, 2 wrong use or unsafe configuration ([`failure`]).

pub mod audit;
pub mod certs;
pub mod client;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod failure;
pub mod first_start;
pub mod key;
pub mod options;
pub mod output;
pub mod policy;
pub mod posture;
pub mod registrar;
pub mod serve;
pub mod session;
pub mod tenant;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

use self::{failure::Failure, options::Options, output::Printer};
use crate::config::env::Environment;

/// A locked front door for AI memory: every app brings its key, each key opens one tenant.
#[derive(Debug, Parser)]
#[command(
    name = "memgate",
    version,
    after_help = "Without a command, memgate serves. First steps:\n  \
                  memgate                                        serve on 127.0.0.1:3000\n  \
                  memgate tenant create acme                     make a tenant\n  \
                  memgate key create --tenant acme --name laptop make a key for it\n  \
                  memgate session list                           who is connected\n  \
                  memgate doctor                                 is everything in order?",
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    serve: serve::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop; the same as no command
    Serve(serve::Arguments),
    /// Make, list and revoke keys
    #[command(subcommand)]
    Key(key::Command),
    /// Make and list tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// List sessions of a running server, and end them
    #[command(subcommand)]
    Session(session::Command),
    /// Check and show the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Check policies, run their cases, show what they permit, explain a refusal
    #[command(subcommand)]
    Policy(policy::Command),
    /// Verify, show and export the record of decisions
    #[command(subcommand)]
    Audit(audit::Command),
    /// Is everything in order, and if not, what to do
    Doctor(doctor::Arguments),
    /// Make certificates for development
    #[command(subcommand)]
    Certs(certs::Command),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

/// Runs one command line; the rest of the process is `main`.
#[must_use]
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
    printer: &Printer,
) -> ExitCode {
    let result = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.run(environment, printer),
        Err(error) => Err(Failure::Usage(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(printer),
    }
}

impl Cli {
    fn run(self, environment: Environment, printer: &Printer) -> Result<(), Failure> {
        let mut sources = self.options.sources(environment);
        sources.flags.extend(self.serve.flags());
        match self.command {
            None => serve::run(&sources, printer),
            Some(Command::Serve(arguments)) => {
                sources.flags.extend(arguments.flags());
                serve::run(&sources, printer)
            }
            Some(Command::Key(command)) => command.run(&sources, printer),
            Some(Command::Tenant(command)) => command.run(&sources, printer),
            Some(Command::Session(command)) => command.run(&sources, printer),
            Some(Command::Config(command)) => command.run(&sources, printer),
            Some(Command::Policy(command)) => command.run(&sources, printer),
            Some(Command::Audit(command)) => command.run(&sources, printer),
            Some(Command::Doctor(arguments)) => arguments.run(&sources, printer),
            Some(Command::Certs(command)) => command.run(printer),
            Some(Command::Completions(arguments)) => arguments.run(printer),
        }
    }
}

#[cfg(test)]
mod tests;
