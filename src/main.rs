//! The program: installs the one crypto provider, then does what the command line says.

use std::process::ExitCode;

use memgate::{
    cli::{self, output::Printer},
    config::env::Environment,
};

fn main() -> ExitCode {
    // Before there is a secret in memory.
    memgate::app::process::harden();
    // First of all: a TLS configuration that is built before it would have no provider. It fails
    // only when there is one already, and nobody else installs any.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::main(std::env::args_os(), Environment::of_process(), &Printer::of_process())
}
