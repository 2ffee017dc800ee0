//! The strict look at a body: it never panics, and what it lets through, `serde_json` and rmcp
//! read in the same way. What it says of a message is what they would have said.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memgate::mcp::preparse::{self, Kind};
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Ok(message) = preparse::read(body) else { return };
    let value: Value = serde_json::from_slice(body).expect("serde_json reads it too");
    let text = |value: &Value| value.as_str().map(str::to_owned);

    assert_eq!(value["jsonrpc"], "2.0");
    if message.kind != Kind::Response {
        assert_eq!(text(&value["method"]).as_deref(), Some(&*message.method));
    }
    if message.kind != Kind::Notification {
        let id: Value = serde_json::from_str(message.id).expect("an id is JSON");
        assert_eq!(value["id"], id);
    }
    let params = &value["params"];
    assert_eq!(text(&params["name"]).as_deref(), message.name.as_deref());
    assert_eq!(text(&params["uri"]).as_deref(), message.uri.as_deref());

    let Ok(theirs) = serde_json::from_slice::<ClientJsonRpcMessage>(body) else { return };
    let kind = match theirs {
        JsonRpcMessage::Request(_) => Kind::Request,
        JsonRpcMessage::Notification(_) => Kind::Notification,
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => Kind::Response,
    };
    assert_eq!(kind, message.kind, "rmcp takes it for something else");
});
