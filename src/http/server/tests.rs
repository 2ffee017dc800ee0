//! The server on free ports of this machine, with deadlines of milliseconds.
//!
//! No test waits for a time to pass: each waits for what the server does when it has passed.

use std::{convert::Infallible, net::Ipv4Addr, os::unix::fs::PermissionsExt as _};
use std::{net::SocketAddr, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::Notify,
    task::JoinHandle,
};
use tower::service_fn;

use super::{unreadable::Unreadable, *};
use crate::config::listen::Tls;

mod no_request;

/// Far longer than anything here takes; a test that reaches it hangs and fails.
const LIMIT: Duration = Duration::from_secs(20);
/// A deadline that a test lets pass.
const SOON: Duration = Duration::from_millis(30);

/// A server that runs.
struct Running {
    address: SocketAddr,
    stop: Stop,
    tracker: TaskTracker,
    served: JoinHandle<Drained>,
    /// Notified when `/wait` has begun.
    waiting: Arc<Notify>,
    /// Lets `/wait` answer.
    go: CancellationToken,
    files: tempfile::TempDir,
}

fn local() -> Listen {
    Listen { public: (Ipv4Addr::LOCALHOST, 0).into(), ..Listen::default() }
}

async fn start(settings: Listen) -> Running {
    let files = tempfile::tempdir().unwrap();
    let certificates = settings.tls.is_some().then(|| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let tls = Tls {
            certificate: files.path().join("cert.pem"),
            private_key: files.path().join("key.pem"),
            reload_interval: LIMIT,
            ..Tls::default()
        };
        std::fs::write(&tls.certificate, made.cert.pem()).unwrap();
        std::fs::write(&tls.private_key, made.signing_key.serialize_pem()).unwrap();
        Arc::new(Certificates::load(&tls, settings.http2).unwrap())
    });
    let control = files.path().join("control.sock");
    let bound = bind(&settings, Some(&control), certificates).await.unwrap();
    let address = bound.address(Surface::Public).unwrap();
    let (stop, tracker) = (Stop::default(), TaskTracker::new());
    let (waiting, go) = (Arc::new(Notify::new()), CancellationToken::new());
    let stage = {
        let (waiting, go, streams) = (Arc::clone(&waiting), go.clone(), stop.streams.clone());
        service_fn(move |request: Request<Body>| {
            let (waiting, go, streams) = (Arc::clone(&waiting), go.clone(), streams.clone());
            async move {
                if let Some(Unreadable(status)) = request.extensions().get() {
                    let peer = request.extensions().get::<Arc<peer::Peer>>().unwrap();
                    let answer = Response::builder().status(*status);
                    let body = format!("{} {}", request.method(), peer.encrypted);
                    return Ok(answer.header("x-request-id", "1").body(body.into()).unwrap());
                }
                Ok::<Response, Infallible>(match request.uri().path() {
                    "/wait" => {
                        waiting.notify_one();
                        go.cancelled().await;
                        Response::new(Body::from("waited"))
                    }
                    "/stream" => {
                        waiting.notify_one();
                        let ended = async move {
                            streams.cancelled().await;
                            Ok::<_, Infallible>(Bytes::from_static(b"bye"))
                        };
                        Response::new(Body::from_stream(futures::stream::once(ended)))
                    }
                    "/refuse" => {
                        let refused = Response::builder().status(400);
                        refused.body(Body::from("of the stage")).unwrap()
                    }
                    "/mimic" => {
                        let pieces = futures::stream::unfold(0, move |n| {
                            let (waiting, go) = (Arc::clone(&waiting), go.clone());
                            async move {
                                if n == 1 {
                                    waiting.notify_one();
                                    go.cancelled().await;
                                }
                                let piece = Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                                (n < 3).then(|| (Ok::<_, Infallible>(piece), n + 1))
                            }
                        });
                        Response::new(Body::from_stream(pieces))
                    }
                    "/flood" => {
                        let piece = Ok::<_, Infallible>(Bytes::from(vec![7; 64 * 1024]));
                        Response::new(Body::from_stream(futures::stream::repeat(piece)))
                    }
                    "/peer" => {
                        let peer = request.extensions().get::<Arc<peer::Peer>>().unwrap();
                        Response::new(Body::from(format!("{:?} {}", peer.surface, peer.encrypted)))
                    }
                    _ => Response::new(Body::from("ok")),
                })
            }
        })
    };
    let serving = {
        let (stop, tracker) = (stop.clone(), tracker.clone());
        async move { bound.serve(|_| stage.clone(), stop, &tracker).await }
    };
    let served = tracker.spawn(serving);
    Running { address, stop, tracker, served, waiting, go, files }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `text` on a new connection and reads until the server closes it.
    async fn exchange(&self, text: &str) -> String {
        let mut socket = self.connect().await;
        socket.write_all(text.as_bytes()).await.unwrap();
        read_all(&mut socket).await
    }

    async fn end(self) -> Drained {
        self.stop.asked.cancel();
        let drained = tokio::time::timeout(LIMIT, self.served).await.unwrap().unwrap();
        assert!(self.tracker.is_empty(), "nothing runs after a drain");
        drained
    }
}

async fn read_all(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(LIMIT, socket.read_to_end(&mut text)).await.unwrap();
    // A reset is an end as well.
    drop(read);
    String::from_utf8_lossy(&text).into_owned()
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

#[tokio::test]
async fn i12_after_a_drain_nothing_runs() {
    let server = start(local()).await;
    // One idle, one half-sent, one waiting, one streaming.
    let _idle = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    let mut busy = server.connect().await;
    busy.write_all(get("/wait", "").as_bytes()).await.unwrap();
    server.waiting.notified().await;
    let mut stream = server.connect().await;
    stream.write_all(get("/stream", "").as_bytes()).await.unwrap();
    server.waiting.notified().await;

    let (address, go) = (server.address, server.go.clone());
    let reading = async {
        let streamed = read_all(&mut stream).await;
        assert!(streamed.contains("bye"), "an open stream is ended properly: {streamed}");
        assert!(TcpStream::connect(address).await.is_err(), "nothing is accepted any more");
        go.cancel();
        assert!(read_all(&mut busy).await.contains("waited"), "a request under way is answered");
    };
    let (drained, ()) = tokio::join!(server.end(), reading);
    assert_eq!(drained, Drained { cut: 0 });
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let server = start(Listen { drain_timeout: SOON, ..local() }).await;
    let mut busy = server.connect().await;
    busy.write_all(get("/wait", "").as_bytes()).await.unwrap();
    server.waiting.notified().await;
    assert_eq!(server.end().await, Drained { cut: 1 });
    assert_eq!(read_all(&mut busy).await, "");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let server = start(Listen { header_timeout: SOON, ..local() }).await;
    assert_eq!(server.exchange("GET / HT").await, "");
    assert_eq!(server.exchange("P").await, "", "before the protocol is known");
    server.end().await;

    let server = start(Listen { idle_timeout: SOON, ..local() }).await;
    assert_eq!(server.exchange("").await, "");
    assert!(server.exchange(&get("/", "")).await.ends_with("ok"), "after an answer, too");
    server.end().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let server = start(Listen { write_timeout: SOON, max_connections: 1, ..local() }).await;
    let mut socket = server.connect().await;
    socket.write_all(get("/flood", "").as_bytes()).await.unwrap();
    // The kernel keeps the cut connection's last bytes, so it is the freed place that shows.
    assert!(server.exchange(&get("/", "Connection: close\r\n")).await.ends_with("ok"));
    server.end().await;
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let server = start(Listen { max_connections_per_address: 1, ..local() }).await;
    let mut first = server.connect().await;
    first.write_all(get("/wait", "Connection: close\r\n").as_bytes()).await.unwrap();
    server.waiting.notified().await;
    assert_eq!(server.exchange(&get("/", "")).await, "", "the second is closed");
    server.go.cancel();
    assert!(read_all(&mut first).await.ends_with("waited"));
    server.end().await;
}

#[tokio::test]
async fn a_full_server_makes_callers_wait_and_not_fail() {
    let server = start(Listen { max_connections: 1, ..local() }).await;
    let mut first = server.connect().await;
    first.write_all(get("/wait", "Connection: close\r\n").as_bytes()).await.unwrap();
    server.waiting.notified().await;
    let request = get("/", "Connection: close\r\n");
    let second = server.exchange(&request);
    let first = async {
        server.go.cancel();
        read_all(&mut first).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.ends_with("waited") && second.ends_with("ok"));
    server.end().await;
}

#[tokio::test]
async fn the_control_socket_is_private_and_goes_with_the_server() {
    let server = start(local()).await;
    let path = server.files.path().join("control.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut socket = UnixStream::connect(&path).await.unwrap();
    socket.write_all(get("/peer", "Connection: close\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("Control false"), "{text}");
    server.stop.asked.cancel();
    tokio::time::timeout(LIMIT, server.served).await.unwrap().unwrap();
    assert!(!path.exists());
}

async fn http2(
    server: &Running,
) -> (hyper::client::conn::http2::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let socket = TokioIo::new(server.connect().await);
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1024)
        .handshake(socket)
        .await
        .unwrap();
    (sender, server.tracker.spawn(connection))
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://localhost{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn http2_is_spoken_unless_it_is_off() {
    let server = start(local()).await;
    let (mut sender, connection) = http2(&server).await;
    let answer = sender.send_request(request("/")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    drop(sender);
    connection.await.unwrap().unwrap();
    server.end().await;

    let server = start(Listen { http2: false, ..local() }).await;
    let answer = server.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!answer.contains("200"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn an_http2_stream_whose_window_stays_shut_is_cut() {
    let server = start(Listen { write_timeout: SOON, ..local() }).await;
    let (mut sender, connection) = http2(&server).await;
    let answer = sender.send_request(request("/flood")).await.unwrap();
    // The body is held and never read, so its window is never opened again.
    let ended = tokio::time::timeout(LIMIT, connection).await.unwrap();
    drop((answer, ended));
    server.end().await;
}

/// A TLS client that accepts the test's certificate and offers `alpn`.
async fn tls(
    server: &Running,
    alpn: &[&[u8]],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let made = std::fs::read(server.files.path().join("cert.pem")).unwrap();
    let certificate: rustls::pki_types::CertificateDer<'static> =
        rustls::pki_types::pem::PemObject::from_pem_slice(&made).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), server.connect().await)
        .await
}

fn with_tls() -> Listen {
    let nowhere = Tls {
        certificate: "cert.pem".into(),
        private_key: "key.pem".into(),
        reload_interval: LIMIT,
        ..Tls::default()
    };
    Listen { tls: Some(nowhere), ..local() }
}

#[tokio::test]
async fn tls_is_ended_here_and_alpn_must_agree() {
    let server = start(with_tls()).await;
    let mut socket = tls(&server, &[b"http/1.1"]).await.unwrap();
    socket.write_all(get("/peer", "Connection: close\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("Public true"), "{text}");
    assert_eq!(tls(&server, &[b"h2"]).await.unwrap().get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert!(tls(&server, &[b"ftp"]).await.is_err());
    assert!(!server.exchange(&get("/", "")).await.contains("200"), "plain HTTP on a TLS port");
    server.end().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_closed() {
    let server = start(Listen { handshake_timeout: SOON, ..with_tls() }).await;
    assert_eq!(server.exchange("").await, "");
    server.end().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = start(local()).await;
    let again = Listen { public: server.address, ..Listen::default() };
    let error = bind(&again, None, None).await.unwrap_err();
    assert!(error.public().starts_with(&format!("cannot listen on {}", server.address)));
    server.end().await;
}
