//! `memgate doctor --health`: is the server behind the configured listener alive?
//!
//! The container's health check: one GET of `/healthz`, over TLS when TLS is configured, with a
//! host name that the server trusts. It sends no key and believes nothing it reads but the
//! status.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::join;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    cli::output::Printer,
    config::{Settings, load, load::Sources},
    domain::{Error, Kind, Result},
};

/// Longer than any healthy answer, shorter than a container runtime's own patience.
const PATIENCE: Duration = Duration::from_secs(4);

/// Whom to ask, and how.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    address: SocketAddr,
    tls: bool,
    host: String,
    path: String,
}

/// Asks, and says what came back.
///
/// # Errors
/// `Unavailable` when the server is not alive; `BadInput` for settings or a URL that cannot be
/// read.
pub(in crate::cli::doctor) fn ask(
    sources: &Sources,
    url: Option<&str>,
    printer: &Printer,
) -> Result<()> {
    let settings = load::read(sources)?.settings;
    let target = match url {
        Some(url) => Target::parse(url)?,
        None => Target::of(&settings),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    let status = runtime.block_on(async {
        timeout(PATIENCE, target.get()).await.map_err(|_| {
            let sentence = format!("{} did not answer in {} s", target.address, PATIENCE.as_secs());
            Error::new(Kind::Timeout, sentence)
        })?
    })?;
    // With `http.require_https` a server behind a proxy sends our plain request on to HTTPS:
    // that, too, is an answer of a living server.
    let is_sent_on = settings.http.require_https && status == StatusCode::PERMANENT_REDIRECT;
    if status == StatusCode::OK || is_sent_on {
        return printer.line("alive");
    }
    let sentence = format!("{} answered {status}", target.address);
    Err(Error::new(Kind::Unavailable, sentence))
}

impl Target {
    /// The public listener as this machine reaches it.
    fn of(settings: &Settings) -> Self {
        let mut address = settings.listen.public;
        address.set_ip(match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        });
        let trusted = settings.http.trusted_hosts.iter().find(|host| *host != "*");
        let host = trusted.map_or_else(|| address.to_string(), |h| h.replace("*.", "health."));
        Self { address, tls: settings.listen.tls.is_some(), host, path: "/healthz".to_owned() }
    }

    /// `http://127.0.0.1:3000/healthz`: an address, since nothing here asks a resolver.
    fn parse(url: &str) -> Result<Self> {
        let wrong = || {
            Error::bad_input(
                "`--health` takes a URL with an IP address, like `http://127.0.0.1:3000/healthz`",
            )
        };
        let url: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let host = url.host().ok_or_else(wrong)?.trim_matches(['[', ']']);
        let host = if host == "localhost" { "127.0.0.1" } else { host };
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let address = SocketAddr::new(host.parse().map_err(|_| wrong())?, port);
        let authority = url.authority().ok_or_else(wrong)?.to_string();
        let path = match url.path() {
            "/" | "" => "/healthz".to_owned(),
            path => path.to_owned(),
        };
        Ok(Self { address, tls, host: authority, path })
    }

    async fn get(&self) -> Result<StatusCode> {
        let stream = TcpStream::connect(self.address).await.map_err(|e| self.is_dead(e))?;
        if !self.tls {
            return self.exchange(stream).await;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody::new()))
            .with_no_client_auth();
        // By address, so that no name is asked for in the handshake and any certificate answers.
        let name = ServerName::from(self.address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|e| self.is_dead(e))?;
        self.exchange(stream).await
    }

    async fn exchange<S>(&self, stream: S) -> Result<StatusCode>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| self.is_dead(e))?;
        let request = Request::get(&self.path)
            .header(header::HOST, &self.host)
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(Error::internal)?;
        let exchange = async move { sender.send_request(request).await.map(|r| r.status()) };
        let (status, _) = join(exchange, connection).await;
        status.map_err(|e| self.is_dead(e))
    }

    fn is_dead(&self, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::new(Kind::Unavailable, format!("{} does not answer", self.address)).caused_by(cause)
    }
}

/// Takes every certificate. SECURITY: this connection carries no secret and its answer decides
/// nothing but a health check; a certificate that has just been replaced, or has run out, must
/// not have a living server killed. `doctor` itself judges the certificate.
struct Anybody(WebPkiSupportedAlgorithms);

impl Anybody {
    fn new() -> Self {
        Self(aws_lc_rs::default_provider().signature_verification_algorithms)
    }
}

impl fmt::Debug for Anybody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anybody")
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;
    use crate::cli::output::tests::captured;

    #[test]
    fn the_listener_is_reached_by_an_address_and_a_name_it_trusts() {
        let mut settings = Settings::default();
        let target = Target::of(&settings);
        assert_eq!(target.host, "127.0.0.1:3000");
        settings.listen.public = "0.0.0.0:8080".parse().unwrap();
        settings.http.trusted_hosts = vec!["*".to_owned(), "*.example.com".to_owned()];
        let target = Target::of(&settings);
        assert_eq!(target.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(target.host, "health.example.com");
        settings.listen.public = "[::]:8080".parse().unwrap();
        assert_eq!(Target::of(&settings).address, "[::1]:8080".parse().unwrap());
    }

    #[test]
    fn a_url_names_an_address() {
        let target = Target::parse("https://[::1]:3000/healthz").unwrap();
        assert_eq!(target.address, "[::1]:3000".parse().unwrap());
        assert!(target.tls);
        assert_eq!(Target::parse("http://localhost").unwrap().path, "/healthz");
        for bad in ["", "ftp://127.0.0.1", "http://example.com/healthz", "127.0.0.1:3000"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    /// Answers one request with these bytes; what `ask` makes of it, and the request.
    fn asked(answer: &'static str, more: &[(&str, &str)]) -> (Result<()>, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let directory = tempfile::tempdir().unwrap();
        let variables = more.iter().copied().chain([("PORT", port.as_str())]);
        let sources = Sources {
            directory: directory.path().to_owned(),
            environment: variables.collect(),
            ..Sources::default()
        };
        let (printer, ..) = captured(false);
        (ask(&sources, None, &printer), server.join().unwrap())
    }

    #[test]
    fn a_living_server_is_told_from_another() {
        let (result, request) = asked(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            &[("TRUSTED_HOSTS", "a.example")],
        );
        result.unwrap();
        assert!(request.starts_with("GET /healthz HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("host: a.example\r\n"), "{request}");
        let moved = "HTTP/1.1 308 Moved\r\ncontent-length: 0\r\nlocation: https://a/\r\n\r\n";
        assert!(asked(moved, &[]).0.is_err());
        assert!(asked(moved, &[("REQUIRE_HTTPS", "true")]).0.is_ok());
        assert!(asked("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", &[]).0.is_err());
        assert!(asked("SSH-2.0-OpenSSH_9.9\r\n", &[]).0.is_err());
    }
}
