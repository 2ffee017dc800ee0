//! HTTP over the control socket of a running server: one request, one connection.
//!
//! Who can open the socket owns the data directory, so no key is sent. What comes back is JSON,
//! or a problem document whose sentence becomes our error.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::UnixStream, runtime::Runtime, time::timeout};

use crate::domain::{Error, Kind, Result};

/// For one request and its answer; the socket is on this machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer: some hundred thousand sessions.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// A running server.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

impl Client {
    /// The server behind this socket, or `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable` when there is a socket that may not be opened.
    pub fn find(socket: PathBuf) -> Result<Option<Self>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::internal)?;
        match runtime.block_on(UnixStream::connect(&socket)) {
            Ok(_) => Ok(Some(Self { socket, runtime })),
            Err(e) if is_nobody(&e) => Ok(None),
            Err(e) => Err(unreachable(e)),
        }
    }

    /// GET.
    ///
    /// # Errors
    /// What the server says, or `Unavailable`.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None)
    }

    /// POST of a JSON value.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body))
    }

    /// DELETE.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, None).map(|_| ())
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))
            .map_err(Error::internal)?;
        let answer = async {
            timeout(PATIENCE, exchange(&self.socket, request))
                .await
                .map_err(|_| Error::new(Kind::Timeout, "the running server does not answer"))?
        };
        let (status, body) = self.runtime.block_on(answer)?;
        let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() { Ok(value) } else { Err(problem(status, &value)) }
    }
}

async fn exchange(socket: &Path, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Error::unavailable)?;
    // The connection makes no progress by itself: it is driven beside the exchange, and ends
    // when the exchange drops the sender.
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(Error::unavailable)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok((status, body.map_err(Error::unavailable)?.to_bytes()))
    };
    let (answer, _) = join(exchange, connection).await;
    answer
}

/// No socket, or one that a killed server left behind.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn unreachable(cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "the control socket in the data directory cannot be opened")
        .caused_by(cause)
}

/// The server's own sentence, with the kind that its status stands for.
fn problem(status: StatusCode, body: &Value) -> Error {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let sentence = text("detail").or_else(|| text("title")).or_else(|| text("error"));
    let kind = match status.as_u16() {
        400 | 413 | 415 | 422 => Kind::BadInput,
        401 | 403 => Kind::Forbidden,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        _ => Kind::Unavailable,
    };
    Error::new(kind, sentence.unwrap_or_else(|| format!("the running server answered {status}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_socket_and_a_dead_socket_are_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        assert!(Client::find(socket.clone()).unwrap().is_none());
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(socket.exists());
        assert!(Client::find(socket).unwrap().is_none());
    }

    #[test]
    fn a_problem_document_becomes_an_error_of_its_kind() {
        let error = problem(StatusCode::CONFLICT, &json!({"title": "x", "detail": "taken"}));
        assert_eq!((error.kind(), error.public()), (Kind::Conflict, "taken"));
        let error = problem(StatusCode::BAD_GATEWAY, &Value::Null);
        assert_eq!(error.public(), "the running server answered 502 Bad Gateway");
    }
}
