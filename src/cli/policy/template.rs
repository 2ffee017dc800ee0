//! `memgate policy template`: policies for common wishes, to start from.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::json;

use crate::{
    cli::{
        failure::Failure,
        key::key_id,
        output::{Printer, Table},
    },
    config::nearest::nearest,
    domain::{Error, Kind, Result, key::KeyId},
    policy::templates::{self, PLACEHOLDER, Template},
};

/// What to do with templates.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the templates
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Print the policy of a template
    Show {
        /// The template's name
        #[arg(value_parser = template)]
        name: Template,
    },
    /// Write a whole policy directory: the built-in policies, the template's, and its cases
    #[command(after_help = "Example:\n  \
        memgate policy template write read-only my-policies --key 0k3v9q1mzx7a\n  \
        memgate policy test --policies my-policies\n  \
        memgate --set policy.directory=my-policies")]
    Write {
        /// The template's name
        #[arg(value_parser = template)]
        name: Template,
        /// The directory to make; files that are there are never replaced
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// The key that the policy speaks of, as `memgate key list` shows it
        #[arg(long, value_name = "ID", value_parser = key_id)]
        key: Option<KeyId>,
    },
}

impl Command {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self {
            Self::List { json } => list(json, printer),
            Self::Show { name } => Ok(printer.line(name.policy(None).trim_end())?),
            Self::Write { name, directory, key } => write(name, &directory, key.as_ref(), printer),
        }
    }
}

fn template(name: &str) -> Result<Template, String> {
    templates::find(name).ok_or_else(|| {
        let known: Vec<_> = templates::ALL.iter().map(|t| t.name.to_owned()).collect();
        let hint = nearest(name, known.iter().map(String::as_str));
        let hint = hint.map_or_else(String::new, |hint| format!("did you mean `{hint}`? "));
        format!("{hint}there are {}", known.join(", "))
    })
}

fn list(json: bool, printer: &Printer) -> Result<(), Failure> {
    if json {
        let all = templates::ALL.map(|t| json!({ "name": t.name, "summary": t.summary }));
        return Ok(printer.json(&json!({ "templates": all }))?);
    }
    let mut table = Table::new(["TEMPLATE", "WHAT IT IS"]);
    for template in templates::ALL {
        table.row([template.name.to_owned(), template.summary.to_owned()]);
    }
    Ok(printer.line(table)?)
}

fn write(
    template: Template,
    directory: &Path,
    key: Option<&KeyId>,
    printer: &Printer,
) -> Result<(), Failure> {
    let files = template.files(key);
    // All or none: a directory that is half one set and half another would be a third one.
    if let Some((file, _)) = files.iter().find(|(file, _)| directory.join(file).exists()) {
        let shown = directory.join(file);
        let sentence = format!("{} exists already; name another directory", shown.display());
        return Err(Error::new(Kind::Conflict, sentence).into());
    }
    fs::create_dir_all(directory.join("tests")).map_err(|e| unwritable(directory, e))?;
    for (file, text) in &files {
        let path = directory.join(file);
        let mut made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| unwritable(&path, e))?;
        made.write_all(text.as_bytes()).map_err(|e| unwritable(&path, e))?;
    }
    let shown = directory.display();
    printer.line(format_args!("wrote {} files to {shown}", files.len()))?;
    if key.is_none() {
        printer.hint(format_args!(
            "put your key's id in the place of {PLACEHOLDER}; `memgate key list` shows it"
        ));
    }
    Ok(())
}

fn unwritable(path: &Path, cause: io::Error) -> Error {
    let sentence = format!("{} cannot be written", path.display());
    Error::new(Kind::Unavailable, sentence).caused_by(cause)
}
