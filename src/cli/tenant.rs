//! `memgate tenant`: make and list tenants.

use clap::Subcommand;
use serde_json::json;

use super::{
    failure::Failure,
    output::{Printer, Table},
    registrar::{Registrar, cell},
};
use crate::{config::load::Sources, domain::tenant::TenantLabel};

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a tenant: a memory of its own
    #[command(after_help = "Example:\n  memgate tenant create acme")]
    Create {
        /// Its name: a-z, 0-9, `_` and `-`, at most 63 characters
        #[arg(value_parser = label)]
        name: TenantLabel,
        /// Print the record as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the tenants
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let registrar = Registrar::open(sources)?;
        match self {
            Self::Create { name, json } => {
                let tenant = registrar.create_tenant(&name)?;
                if json {
                    return Ok(printer.json(&tenant)?);
                }
                printer.line(format_args!("made tenant `{name}` ({})", cell(&tenant, "id")))?;
                printer.hint(format_args!(
                    "`memgate key create --tenant {name} --name laptop` makes a key for it"
                ));
            }
            Self::List { json } => {
                let tenants = registrar.tenants()?;
                if json {
                    return Ok(printer.json(&json!({ "tenants": tenants }))?);
                }
                let mut table = Table::new(["NAME", "ID", "MADE"]);
                for tenant in &tenants {
                    table.row(["label", "id", "created_at"].map(|field| cell(tenant, field)));
                }
                printer.line(table)?;
            }
        }
        Ok(())
    }
}

/// Reads a tenant's name from the command line.
pub(in crate::cli) fn label(text: &str) -> Result<TenantLabel, String> {
    TenantLabel::parse(text).map_err(|e| e.public().to_owned())
}
