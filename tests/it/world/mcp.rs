//! The protocol in both eras: one request alone, and a session.

#![expect(clippy::needless_pass_by_value, reason = "arguments are made where they are sent")]

use serde_json::{Value, json};

use super::{
    caller::{Caller, Stream},
    wire::Response,
};

/// The stateless revision.
const MODERN: &str = "2026-07-28";
/// The newest revision with sessions.
const LEGACY: &str = "2025-11-25";

/// A JSON-RPC answer with the HTTP answer it came in.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The HTTP side.
    pub(crate) http: Response,
    /// The JSON-RPC side.
    pub(crate) value: Value,
}

impl Answer {
    fn new(http: Response) -> Self {
        let value = if http.body.is_empty() { Value::Null } else { http.json() };
        Self { http, value }
    }

    /// Whether a tool said that it failed.
    pub(crate) fn is_error(&self) -> bool {
        self.value["result"]["isError"] == true
    }

    /// The code of a JSON-RPC error.
    pub(crate) fn code(&self) -> Option<i64> {
        self.value["error"]["code"].as_i64()
    }

    /// A tool's text.
    pub(crate) fn text(&self) -> &str {
        self.value["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no text in {:?}", self.http))
    }

    /// A tool's structure, after it succeeded.
    pub(crate) fn structured(&self) -> &Value {
        assert!(!self.is_error() && self.code().is_none(), "{:?}", self.http);
        &self.value["result"]["structuredContent"]
    }
}

impl Caller {
    /// One request of the stateless revision.
    pub(crate) fn rpc(&self, method: &str, params: Value) -> Answer {
        let (caller, body) = self.modern(method, params);
        Answer::new(caller.post("/mcp", &body))
    }

    /// A tool call of the stateless revision, where the server may die before it answers.
    pub(crate) fn try_tool(&self, name: &str, arguments: Value) -> Option<Answer> {
        let (caller, body) =
            self.modern("tools/call", json!({"name": name, "arguments": arguments}));
        caller.try_post("/mcp", &body).map(Answer::new)
    }

    /// Somebody with the header fields of the stateless revision, and the body that fits them.
    fn modern(&self, method: &str, mut params: Value) -> (Self, Value) {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "it", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = ["name", "uri"].iter().find_map(|n| params[n].as_str()).map(str::to_owned);
        let mut caller = self
            .with("accept", "application/json, text/event-stream")
            .with("mcp-protocol-version", MODERN)
            .with("mcp-method", method);
        if let (Some(name), "tools/call" | "resources/read" | "prompts/get") = (name, method) {
            caller = caller.with("mcp-name", &name);
        }
        (caller, json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    }

    /// A tool call of the stateless revision.
    pub(crate) fn tool(&self, name: &str, arguments: Value) -> Answer {
        self.rpc("tools/call", json!({"name": name, "arguments": arguments}))
    }

    /// Stores a memory and returns its id.
    pub(crate) fn store(&self, content: &str) -> String {
        let answer = self.tool("store_memory", json!({"content": content}));
        let structured = answer.structured();
        ["memory_id", "id"]
            .iter()
            .find_map(|n| structured[n].as_str())
            .unwrap_or_else(|| panic!("no id in {structured}"))
            .to_owned()
    }

    /// Opens a session of the older revision.
    pub(crate) fn session(&self) -> LegacySession {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": {"name": "it-legacy", "version": "1"}}});
        let caller = self.with("accept", "application/json, text/event-stream");
        let answer = caller.post("/mcp", &hello);
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.header("mcp-session-id").expect("a session id").to_owned();
        let session = LegacySession { id, caller };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(session.caller().post("/mcp", &ready).status, 202);
        session
    }
}

/// A session of the older revision.
#[derive(Clone)]
pub(crate) struct LegacySession {
    /// The protocol's id: a secret between this client and the server.
    pub(crate) id: String,
    caller: Caller,
}

impl LegacySession {
    /// The same owner with another id, such as one that never was.
    pub(crate) fn with_id(&self, id: &str) -> Self {
        Self { id: id.to_owned(), caller: self.caller.clone() }
    }

    /// The owner, with the session's header fields.
    pub(crate) fn caller(&self) -> Caller {
        self.used_by(&self.caller)
    }

    /// Somebody who presents this session's id.
    pub(crate) fn used_by(&self, caller: &Caller) -> Caller {
        caller
            .instead("accept", "application/json, text/event-stream")
            .with("mcp-session-id", &self.id)
            .with("mcp-protocol-version", LEGACY)
    }

    /// The owner's request.
    pub(crate) fn rpc(&self, method: &str, params: Value) -> Answer {
        Self::rpc_by(&self.caller(), method, params)
    }

    /// A request of whoever [`Self::used_by`] made.
    pub(crate) fn rpc_by(caller: &Caller, method: &str, params: Value) -> Answer {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        let http = caller.post("/mcp", &body);
        let value = if http.status == 200 { http.json() } else { Value::Null };
        Answer { http, value }
    }

    /// The stream on which the server speaks first.
    pub(crate) fn stream(&self) -> Stream {
        self.caller().instead("accept", "text/event-stream").open("GET", "/mcp")
    }
}
