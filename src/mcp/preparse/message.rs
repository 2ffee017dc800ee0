//! The message itself: which of the three it is, and the few fields that decisions need.

use std::borrow::Cow;

use super::{Flaw, MAX_ID_BYTES, MAX_METHOD_BYTES, scan::Scanner};

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const TOP: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS: [&str; 7] =
    ["name", "arguments", "uri", "taskId", "protocolVersion", "clientInfo", "_meta"];

/// Which message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has a method and an id, and wants an answer.
    Request,
    /// It has a method and no id.
    Notification,
    /// It answers a request of the server.
    Response,
}

/// What a client says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientClaim<'a> {
    /// For example `claude-code`.
    pub name: Cow<'a, str>,
    /// For example `2.1.232`.
    pub version: Cow<'a, str>,
}

/// A well-formed message, as far as the gateway needs to know it. Texts borrow from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// Which of the three.
    pub kind: Kind,
    /// The id as it was written, a complete JSON value; empty for notifications.
    pub id: &'a str,
    /// The method; empty for responses.
    pub method: Cow<'a, str>,
    /// `params.name`, the tool or prompt.
    pub name: Option<Cow<'a, str>>,
    /// `params.arguments` as they were written, a complete JSON value.
    pub arguments: Option<&'a str>,
    /// `params.uri`, the resource.
    pub uri: Option<Cow<'a, str>>,
    /// `params.taskId`.
    pub task: Option<Cow<'a, str>>,
    /// `params.protocolVersion`, of `initialize`.
    pub offered_version: Option<Cow<'a, str>>,
    /// The revision that `_meta` names.
    pub meta_version: Option<Cow<'a, str>>,
    /// What `_meta` says the client can do, as it was written.
    pub capabilities: Option<&'a str>,
    /// Whether `params` holds more than `name`, `arguments` and `_meta`.
    pub more_params: bool,
    /// The client, from `_meta` or, for `initialize`, from `params.clientInfo`.
    pub client: ClientClaim<'a>,
}

#[derive(Default)]
struct Params<'a> {
    name: Option<Cow<'a, str>>,
    arguments: Option<&'a str>,
    capabilities: Option<&'a str>,
    more: bool,
    uri: Option<Cow<'a, str>>,
    task: Option<Cow<'a, str>>,
    offered_version: Option<Cow<'a, str>>,
    meta_version: Option<Cow<'a, str>>,
    meta_client: Option<ClientClaim<'a>>,
    client: Option<ClientClaim<'a>>,
}

pub(super) fn read(mut scanner: Scanner<'_>) -> Result<Message<'_>, Flaw> {
    match scanner.peek() {
        Some(b'{') => {}
        Some(b'[') => {
            // Only what is an array to its end is called a batch.
            scanner.value(1).and_then(|_| scanner.end()).map_err(|_| Flaw::NotJson)?;
            return Err(Flaw::Batch);
        }
        _ => {
            scanner.value(1)?;
            scanner.end()?;
            return Err(Flaw::NotAnObject);
        }
    }
    let (mut version, mut id, mut method) = (false, None, None);
    let (mut result, mut error) = (false, false);
    let mut params = Params::default();
    scanner.object(1, |scanner, key| {
        match &*key {
            "jsonrpc" => version = scanner.text(2)?.as_deref() == Some("2.0"),
            "id" => id = Some(read_id(scanner)?),
            "method" => method = Some(read_method(scanner)?),
            "params" => params = read_params(scanner)?,
            "result" => result = scanner.value(2).map(|_| true)?,
            "error" => error = scanner.value(2).map(|_| true)?,
            other => {
                exact(other, &TOP)?;
                scanner.value(2)?;
            }
        }
        Ok(())
    })?;
    scanner.end()?;
    if !version {
        return Err(Flaw::Version);
    }
    let kind = match (&method, id, result, error) {
        (Some(_), Some(_), false, false) => Kind::Request,
        (Some(_), None, false, false) => Kind::Notification,
        (None, Some(_), true, false) | (None, _, false, true) => Kind::Response,
        _ => return Err(Flaw::Shape),
    };
    Ok(Message {
        kind,
        id: id.unwrap_or_default(),
        method: method.unwrap_or_default(),
        name: params.name,
        arguments: params.arguments,
        capabilities: params.capabilities,
        more_params: params.more,
        uri: params.uri,
        task: params.task,
        offered_version: params.offered_version,
        meta_version: params.meta_version,
        client: params.meta_client.or(params.client).unwrap_or_default(),
    })
}

fn read_id<'a>(scanner: &mut Scanner<'a>) -> Result<&'a str, Flaw> {
    let written = scanner.value(2)?;
    let text = written.starts_with('"') && written.len() <= MAX_ID_BYTES + 2;
    if text || written.parse::<i64>().is_ok() { Ok(written) } else { Err(Flaw::Id) }
}

fn read_method<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, Flaw> {
    let method = scanner.text(2)?.ok_or(Flaw::Method)?;
    if (1..=MAX_METHOD_BYTES).contains(&method.len()) { Ok(method) } else { Err(Flaw::Method) }
}

fn read_params<'a>(scanner: &mut Scanner<'a>) -> Result<Params<'a>, Flaw> {
    let mut params = Params::default();
    if !object_or_null(scanner)? {
        return Ok(params);
    }
    scanner.object(2, |scanner, key| {
        params.more |= !matches!(&*key, "name" | "arguments" | "_meta");
        match &*key {
            "name" => params.name = scanner.text(3)?,
            "arguments" => params.arguments = Some(scanner.value(3)?),
            "uri" => params.uri = scanner.text(3)?,
            "taskId" => params.task = scanner.text(3)?,
            "protocolVersion" => params.offered_version = scanner.text(3)?,
            "clientInfo" => params.client = read_client(scanner, 3)?,
            "_meta" => read_meta(scanner, &mut params)?,
            other => {
                exact(other, &PARAMS)?;
                scanner.value(3)?;
            }
        }
        Ok(())
    })?;
    Ok(params)
}

fn read_meta<'a>(scanner: &mut Scanner<'a>, params: &mut Params<'a>) -> Result<(), Flaw> {
    if !object_or_null(scanner)? {
        return Ok(());
    }
    scanner.object(3, |scanner, key| {
        match &*key {
            META_VERSION => params.meta_version = scanner.text(4)?,
            META_CLIENT => params.meta_client = read_client(scanner, 4)?,
            META_CAPABILITIES => params.capabilities = Some(scanner.value(4)?),
            _ => drop(scanner.value(4)?),
        }
        Ok(())
    })
}

fn read_client<'a>(scanner: &mut Scanner<'a>, depth: u32) -> Result<Option<ClientClaim<'a>>, Flaw> {
    if scanner.peek() != Some(b'{') {
        scanner.value(depth)?;
        return Ok(None);
    }
    let mut claim = ClientClaim::default();
    scanner.object(depth, |scanner, key| {
        match &*key {
            "name" => claim.name = scanner.text(depth + 1)?.unwrap_or_default(),
            "version" => claim.version = scanner.text(depth + 1)?.unwrap_or_default(),
            _ => drop(scanner.value(depth + 1)?),
        }
        Ok(())
    })?;
    Ok(Some(claim))
}

/// Whether an object follows; `null` is taken and means that there is none.
fn object_or_null(scanner: &mut Scanner<'_>) -> Result<bool, Flaw> {
    match scanner.peek() {
        Some(b'{') => Ok(true),
        Some(b'n') => scanner.value(2).map(|_| false),
        _ => Err(Flaw::Params),
    }
}

/// SECURITY: a reader that folds case would take `Method` for `method`; then two readers see
/// two messages.
fn exact(key: &str, names: &[&str]) -> Result<(), Flaw> {
    if names.iter().any(|name| name.eq_ignore_ascii_case(key) && *name != key) {
        Err(Flaw::CaseVariant)
    } else {
        Ok(())
    }
}
