//! Which log, and which of its records.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use crate::{
    audit::read::Filter,
    cli::{client::Client, failure::Failure},
    config::{
        form::{Form as _, Raw, time::Time},
        load::{self, Sources},
    },
    db::paths::Paths,
    domain::{
        Error,
        clock::{Clock as _, SystemClock},
    },
};

/// Where a log lies.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    /// A server writes to it.
    pub(super) growing: bool,
}

impl Place {
    /// `dir`, or the log of the data directory.
    ///
    /// # Errors
    /// Settings that cannot be read; a directory that is not there.
    pub(super) fn find(dir: Option<PathBuf>, sources: &Sources) -> Result<Self, Failure> {
        let place = if let Some(directory) = dir {
            Self { directory, growing: false }
        } else {
            let paths = Paths::below(load::read(sources)?.settings.storage.data_dir);
            let growing = Client::find(paths.control_socket())?.is_some();
            Self { directory: paths.audit_dir(), growing }
        };
        if !place.directory.is_dir() {
            let shown = place.directory.display();
            let sentence = format!(
                "there is no audit log at {shown}; name the data directory with `--data-dir`, or \
                 the log's own with `--dir`"
            );
            return Err(Error::bad_input(sentence).into());
        }
        Ok(place)
    }
}

/// Which records.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Another copy of the log than that of the data directory
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Only of this key, also where a refused credential claimed to be it
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Only of or about this tenant, by name or id
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only this action, for example `memory_write`
    #[arg(long)]
    action: Option<String>,
    /// Only this tool, method, route or command, for example `store_memory`
    #[arg(long)]
    what: Option<String>,
    /// Only this outcome
    #[arg(long, value_parser = [
        "allowed", "denied", "unauthenticated", "limited", "refused", "failed", "abandoned",
    ])]
    outcome: Option<String>,
    /// Only this request, by the id that its answer carried
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Not before this moment, or this long ago: `2026-07-28T12:00:00Z`, `2h`
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before this moment, or this long ago
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl Choice {
    /// # Errors
    /// `BadInput` for a moment that is none.
    pub(super) fn filter(&self) -> Result<Filter, Error> {
        let now = SystemClock::new().now();
        let moment = |text: &Option<String>| text.as_deref().map(|t| moment(t, now)).transpose();
        Ok(Filter {
            key: self.key.clone(),
            tenant: self.tenant.clone(),
            action: self.action.clone(),
            what: self.what.clone(),
            outcome: self.outcome.clone(),
            request: self.request.clone(),
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            checkpoints: false,
        })
    }
}

/// A moment, or how long before `now` it was.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let ago =
        Time::read(&Raw::Text(text.to_owned())).ok().and_then(|ago| now.checked_sub(ago).ok());
    ago.ok_or_else(|| {
        Error::bad_input(format!("`{text}` is no moment; write `2026-07-28T12:00:00Z` or `2h`"))
    })
}
