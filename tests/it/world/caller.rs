//! Somebody who sends requests: an address, and header fields that go with every one.

use std::{
    io::{self, BufReader},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;

use super::wire::{self, Line, Response};

/// A stream that was ended is noticed within this.
const GLANCE: Duration = Duration::from_millis(200);

/// A persona.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    headers: Vec<(String, String)>,
}

impl Caller {
    /// Somebody without a credential.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, tls: None, headers: Vec::new() }
    }

    /// The same, over TLS.
    pub(crate) fn over(&self, tls: &Arc<ClientConfig>) -> Self {
        Self { tls: Some(Arc::clone(tls)), ..self.clone() }
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
        self.exchange("GET", target, None).ok()
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
        self.exchange("POST", target, Some(&body.to_string())).ok()
    }

    /// Any request.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are made where they are sent")]
    pub(crate) fn send(&self, method: &str, target: &str, body: Option<String>) -> Response {
        self.exchange(method, target, body.as_deref())
            .unwrap_or_else(|e| panic!("{method} {target}: {e}"))
    }

    /// Any request, where there may be no answer.
    pub(crate) fn exchange(
        &self,
        method: &str,
        target: &str,
        body: Option<&str>,
    ) -> io::Result<Response> {
        let line = Line::open(self.address, self.tls.as_ref())?;
        wire::read(&mut wire::send(line, &self.bytes(method, target, body)))
    }

    /// A connection of theirs, with nothing sent.
    pub(crate) fn connect(&self) -> io::Result<Line> {
        Line::open(self.address, self.tls.as_ref())
    }

    /// Sends a request whose answer stays open.
    pub(crate) fn open(&self, method: &str, target: &str) -> Stream {
        let line = self.connect().unwrap();
        let mut connection = wire::send(line, &self.bytes(method, target, None));
        let head = wire::read_head(&mut connection).unwrap();
        Stream { head, connection }
    }

    /// The bytes of a request.
    pub(crate) fn bytes(&self, method: &str, target: &str, body: Option<&str>) -> Vec<u8> {
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
    connection: BufReader<Line>,
}

impl Stream {
    /// Reads until the server closes it; fails when it does not.
    pub(crate) fn rest(mut self) -> io::Result<String> {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut self.connection, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Whether the server keeps it open; what it says meanwhile is skipped.
    pub(crate) fn is_open(&mut self) -> bool {
        let socket = |stream: &Self| stream.connection.get_ref().socket().try_clone().unwrap();
        socket(self).set_read_timeout(Some(GLANCE)).unwrap();
        let is_open = loop {
            match io::Read::read(&mut self.connection, &mut [0; 1024]) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => {
                    let silent = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                    break silent.contains(&error.kind());
                }
            }
        };
        socket(self).set_read_timeout(Some(wire::SILENCE)).unwrap();
        is_open
    }

    /// Reads until the server cuts it off, however rudely; fails when it does not.
    pub(crate) fn cut_off(mut self) {
        let mut text = Vec::new();
        if let Err(error) = io::Read::read_to_end(&mut self.connection, &mut text) {
            let kind = error.kind();
            let is_silence = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&kind);
            assert!(!is_silence, "the stream goes on: {error}");
        }
    }
}
