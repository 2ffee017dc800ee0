//! Options that every command takes: where the settings come from, and single settings.

use std::path::PathBuf;

use clap::Args;

use crate::config::{
    env::Environment,
    load::{Flag, Sources},
};

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct Options {
    /// Read this file instead of `./memgate.toml`
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Everything memgate keeps [default: ./memgate-data]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<String>,
    /// Any setting, as `memgate config show` names it; can be repeated
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Options {
    /// Where the settings are looked for.
    #[must_use]
    pub fn sources(self, environment: Environment) -> Sources {
        let data_dir = self.data_dir.map(|value| flag("--data-dir", "storage.data_dir", value));
        let set = self.set.into_iter().map(|(key, value)| flag("--set", key, value));
        Sources {
            file: self.config,
            environment,
            flags: set.chain(data_dir).collect(),
            ..Sources::default()
        }
    }
}

/// A setting from the command line.
pub(in crate::cli) fn flag(
    name: &'static str,
    key: impl Into<String>,
    value: impl Into<String>,
) -> Flag {
    Flag { name, key: key.into(), value: value.into() }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write `section.key=value`")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
