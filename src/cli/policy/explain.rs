//! `memgate policy explain`: why the running server refused a request.

use serde_json::Value;

use crate::{
    cli::{client::Client, failure::Failure, output::Printer, registrar::cell},
    config::{load, load::Sources},
    db::paths::Paths,
    domain::{Error, Kind},
};

/// Fields of the answer, and what they are called for people.
const FIELDS: [(&str, &str); 11] = [
    ("why", "why"),
    ("rules", "policies"),
    ("action", "action"),
    ("resource", "resource"),
    ("what", "tool"),
    ("key", "key"),
    ("tenant", "tenant"),
    ("address", "address"),
    ("route", "route"),
    ("status", "status"),
    ("at", "when"),
];

pub(super) fn run(
    id: &str,
    json: bool,
    sources: &Sources,
    printer: &Printer,
) -> Result<(), Failure> {
    let settings = load::read(sources)?.settings;
    let socket = Paths::below(&settings.storage.data_dir).control_socket();
    let Some(server) = Client::find(socket)? else {
        let directory = settings.storage.data_dir.display();
        let sentence = format!(
            "no server runs on the data directory {directory}; refusals are remembered by a \
             running server only"
        );
        return Err(Error::new(Kind::Unavailable, sentence).into());
    };
    let refused = server.get(&format!("/admin/explain/{id}"))?;
    if json {
        return Ok(printer.json(&refused)?);
    }
    printer.line(format_args!("refused by {}", layer(&refused)))?;
    for (field, name) in FIELDS {
        match cell(&refused, field).as_str() {
            "-" => {}
            value => printer.line(format_args!("  {name:<9} {value}"))?,
        }
    }
    Ok(())
}

/// The layer in words.
fn layer(refused: &Value) -> String {
    let name = refused.get("layer").and_then(Value::as_str).unwrap_or("an unknown layer");
    name.replace('_', " ")
}

/// A request id, as answers carry it.
pub(super) fn request_id(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 64;
    if fits && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(text.to_owned());
    }
    Err("a request id stands in the answer's `X-Request-Id` and in its body".to_owned())
}
