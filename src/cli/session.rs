//! `memgate session`: who is connected to the running server, and ending it.

use clap::Subcommand;

use super::{
    client::Client,
    failure::Failure,
    output::{Printer, Table},
    registrar::{cell, list},
};
use crate::{
    config::{load, load::Sources},
    db::paths::Paths,
    domain::{Error, Kind, session::SessionId},
};

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the sessions, the newest request first
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// End a session: its streams close, and its client is refused for `limits.ended_for`
    #[command(after_help = "Example:\n  memgate session kill s_0k3v9q1mzx7a2b4c")]
    Kill {
        /// The session's id, as `memgate session list` shows it
        #[arg(value_parser = session_id)]
        id: SessionId,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, sources: &Sources, printer: &Printer) -> Result<(), Failure> {
        let settings = load::read(sources)?.settings;
        let socket = Paths::below(&settings.storage.data_dir).control_socket();
        let Some(server) = Client::find(socket)? else {
            let directory = settings.storage.data_dir.display();
            let sentence = format!("no server runs on the data directory {directory}");
            return Err(Error::new(Kind::Unavailable, sentence).into());
        };
        match self {
            Self::List { json } => {
                let answer = server.get("/admin/sessions")?;
                if json {
                    return Ok(printer.json(&answer)?);
                }
                let mut table = Table::new([
                    "ID",
                    "TENANT",
                    "KEY",
                    "CLIENT",
                    "PROTOCOL",
                    "ADDRESS",
                    "LAST SEEN",
                    "CALLS",
                    "ERRORS",
                    "STREAMS",
                ]);
                for session in &list(answer, "sessions") {
                    let [name, version] =
                        ["client/name", "client/version"].map(|field| cell(session, field));
                    let [id, tenant, key, protocol, address, seen, calls, errors, streams] = [
                        "id",
                        "tenant",
                        "key",
                        "protocol",
                        "address",
                        "last_seen",
                        "calls",
                        "errors",
                        "open_streams",
                    ]
                    .map(|field| cell(session, field));
                    let client = format!("{name} {version}");
                    table.row([
                        id, tenant, key, client, protocol, address, seen, calls, errors, streams,
                    ]);
                }
                Ok(printer.line(table)?)
            }
            Self::Kill { id } => {
                server.delete(&format!("/admin/sessions/{id}"))?;
                Ok(printer.line(format_args!("ended session {id}"))?)
            }
        }
    }
}

fn session_id(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text).map_err(|_| "`memgate session list` shows the ids there are".to_owned())
}
