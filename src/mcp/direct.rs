//! Tool calls that need nothing of the protocol library but its types.
//!
//! Nearly every request is a tool call with a name, arguments and nothing else, and its answer is
//! one JSON object. The library reads such a message a second time into types that hold any
//! message there is, and runs it in tasks of its own with channels between them, which costs more
//! than all of our checks together. So the gateway answers it here: the same checks before, the
//! same dispatch behind, the same words in the answer (test `both_ways_answer_alike`). Whatever
//! is anything more than plain goes the library's way, and so do handlers that speak to the
//! client while they work.

use std::sync::Arc;

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Response, header};
use rmcp::model::{CallToolResult, ClientCapabilities, ErrorData, JsonObject};
use serde::Serialize;

use super::{
    era::Era,
    preparse::{Kind, Message},
    refusal::JSON,
    visit::Visit,
};

/// What a tool call comes to: a result, which may say that the tool failed, or a JSON-RPC error.
pub type Outcome = Result<CallToolResult, ErrorData>;

/// Handlers that can answer a plain call. They are quiet: they say nothing to a client but
/// answers, so the library need not keep their sessions either.
pub trait PlainCalls: Send + Sync {
    /// Answers one call. Dropping the future stops it between two steps, never within a write.
    fn call(
        self: Arc<Self>,
        visit: Arc<Visit>,
        name: String,
        arguments: JsonObject,
    ) -> BoxFuture<'static, Outcome>;
}

/// A tool call with nothing to it.
#[derive(Debug)]
pub struct PlainCall {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: JsonObject,
}

impl PlainCall {
    /// The call that `message` is, if it is one and nothing more.
    #[must_use]
    pub fn of(message: &Message<'_>, era: Era) -> Option<Self> {
        let plain = message.kind == Kind::Request
            && message.method == "tools/call"
            && !message.more_params
            && match era {
                Era::Stateless => message.capabilities.is_some_and(fits),
                // There, metadata of a revision means something that only the library knows.
                Era::Session => message.meta_version.is_none(),
                Era::Initialize => false,
            };
        let name = message.name.as_deref().filter(|_| plain)?;
        let arguments = message.arguments.map_or(Ok(None), serde_json::from_str).ok()?;
        Some(Self { name: name.to_owned(), arguments: arguments.unwrap_or_default() })
    }
}

/// Whether the library would take this for capabilities; it refuses a request without.
fn fits(capabilities: &str) -> bool {
    capabilities == "{}" || serde_json::from_str::<ClientCapabilities>(capabilities).is_ok()
}

/// The answer to the request whose `id` was written as `id`.
#[must_use]
pub fn reply(id: &str, outcome: &Result<impl Serialize, ErrorData>) -> Response<Body> {
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    // SECURITY: `id` is a complete JSON value that `preparse` has checked.
    body.extend_from_slice(id.as_bytes());
    match outcome {
        Ok(result) => write(&mut body, b",\"result\":", result),
        Err(error) => write(&mut body, b",\"error\":", error),
    }
    body.push(b'}');
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Types whose keys are all texts; writing them to memory cannot fail.
fn write(body: &mut Vec<u8>, name: &[u8], value: &impl Serialize) {
    body.extend_from_slice(name);
    if let Err(error) = serde_json::to_writer(body, value) {
        tracing::error!(%error, "an answer could not be written");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::preparse, *};

    fn plain(params: &str, era: Era) -> Option<PlainCall> {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        PlainCall::of(&preparse::read(text.as_bytes()).unwrap(), era)
    }

    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":"#;

    #[test]
    fn only_what_is_plain_is_answered_here() {
        let call = plain(r#"{"name":"echo","arguments":{"message":"a"}}"#, Era::Session).unwrap();
        assert_eq!((call.name.as_str(), call.arguments.len()), ("echo", 1));
        for good in [r#"{"name":"a"}"#, r#"{"name":"a","arguments":null,"_meta":{"x":1}}"#] {
            assert!(plain(good, Era::Session).is_some(), "{good}");
            assert!(plain(good, Era::Stateless).is_none(), "no capabilities: {good}");
            assert!(plain(good, Era::Initialize).is_none());
        }
        for capabilities in ["{}", r#"{"elicitation":{}}"#, r#"{"roots":{"listChanged":true}}"#] {
            let params = format!(r#"{{"name":"a",{META}{capabilities}}}}}"#);
            assert!(plain(&params, Era::Stateless).is_some(), "{params}");
            assert!(plain(&params, Era::Session).is_none(), "{params}");
        }
        for more in [
            r#"{"name":1}"#,
            r#"{"arguments":{}}"#,
            r#"{"name":"a","arguments":[]}"#,
            r#"{"name":"a","arguments":"{}"}"#,
            r#"{"name":"a","task":{}}"#,
            r#"{"name":"a","requestState":"x"}"#,
            r#"{"name":"a","uri":"x"}"#,
        ] {
            assert!(plain(more, Era::Session).is_none(), "{more}");
        }
        for capabilities in ["[]", "null", r#"{"roots":1}"#] {
            let params = format!(r#"{{"name":"a",{META}{capabilities}}}}}"#);
            assert!(plain(&params, Era::Stateless).is_none(), "{params}");
        }
    }
}
