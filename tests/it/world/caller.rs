//! Somebody who sends requests: an address, and header fields that go with every one.

use std::{
    io::{self, BufReader},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use super::wire::{self, Response};

/// A persona.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Caller {
    /// Somebody without a credential.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new() }
    }

    /// The same, with one more header field.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name.to_owned(), value.to_owned()));
        caller
    }

    /// The same, with this field in place of any of its name.
    pub(crate) fn instead(&self, name: &str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        caller.with(name, value)
    }

    /// GET.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send("GET", target, None)
    }

    /// GET, where nobody may listen yet.
    pub(crate) fn try_get(&self, target: &str) -> Option<Response> {
        wire::exchange(self.address, &self.bytes("GET", target, None)).ok()
    }

    /// DELETE.
    pub(crate) fn delete(&self, target: &str) -> Response {
        self.send("DELETE", target, None)
    }

    /// POST of a JSON value.
    pub(crate) fn post(&self, target: &str, body: &Value) -> Response {
        self.send("POST", target, Some(body.to_string()))
    }

    /// POST of a JSON value, where the server may die before it answers.
    pub(crate) fn try_post(&self, target: &str, body: &Value) -> Option<Response> {
        let request = self.bytes("POST", target, Some(&body.to_string()));
        wire::exchange(self.address, &request).ok()
    }

    /// Any request.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are made where they are sent")]
    pub(crate) fn send(&self, method: &str, target: &str, body: Option<String>) -> Response {
        wire::exchange(self.address, &self.bytes(method, target, body.as_deref()))
            .unwrap_or_else(|e| panic!("{method} {target}: {e}"))
    }

    /// Sends a request whose answer stays open.
    pub(crate) fn open(&self, method: &str, target: &str) -> Stream {
        let request = self.bytes(method, target, None);
        let mut connection = wire::connect(self.address, &request).unwrap();
        let head = wire::read_head(&mut connection).unwrap();
        Stream { head, connection }
    }

    fn bytes(&self, method: &str, target: &str, body: Option<&str>) -> Vec<u8> {
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| {
            if !self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
                text.extend([name, ": ", value, "\r\n"]);
            }
        };
        add("host", &self.address.to_string());
        add("connection", "close");
        if let Some(body) = body {
            add("content-type", "application/json");
            add("content-length", &body.len().to_string());
        }
        for (name, value) in &self.headers {
            text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        text.push_str("\r\n");
        text.push_str(body.unwrap_or_default());
        text.into_bytes()
    }
}

/// An answer that stays open.
pub(crate) struct Stream {
    /// Its status and header fields.
    pub(crate) head: Response,
    connection: BufReader<TcpStream>,
}

impl Stream {
    /// Reads until the server closes it; fails when it does not.
    pub(crate) fn rest(mut self) -> io::Result<String> {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut self.connection, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
