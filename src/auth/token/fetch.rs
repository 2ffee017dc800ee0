//! Getting a small document over HTTPS: one request, one connection, no redirects.
//!
//! SECURITY: the URL comes from the settings, or from a discovery document that the settings
//! point to; nothing that a caller sends is ever fetched. A redirect is an answer like any other
//! that is not 200: a failure. Size and time are bounded together (test
//! `a_fetch_that_is_slow_large_or_led_elsewhere_fails`).

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::join;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    config::form::url::Url,
    domain::{Error, Result},
};

/// The largest document.
const MAX_BYTES: usize = 1 << 20;

/// Fetches for one issuer.
pub(super) struct Fetcher {
    tls: TlsConnector,
    patience: Duration,
}

impl Fetcher {
    /// Trusts the authorities in `ca_file`, or the public ones.
    ///
    /// # Errors
    /// `BadInput` for a file that cannot be read or has no certificate.
    pub(super) fn new(ca_file: Option<&Path>, patience: Duration) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let refuse = |why: &dyn std::fmt::Display| {
                    let sentence =
                        format!("the `ca_file` {} cannot be used: {why}", path.display());
                    Error::bad_input(sentence)
                };
                let list = CertificateDer::pem_file_iter(path).map_err(|e| refuse(&e))?;
                for certificate in list {
                    let certificate = certificate.map_err(|e| refuse(&e))?;
                    roots.add(certificate).map_err(|e| refuse(&e))?;
                }
                if roots.is_empty() {
                    return Err(refuse(&"there is no certificate in it"));
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), patience })
    }

    /// The document at `url`.
    ///
    /// # Errors
    /// `Unavailable`, with the reason as its cause.
    pub(super) async fn get(&self, url: &Url) -> Result<Bytes> {
        timeout(self.patience, self.connect(url))
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("it took too long")))
    }

    async fn connect(&self, url: &Url) -> Result<Bytes> {
        let tcp = TcpStream::connect((url.host(), url.port())).await.map_err(Error::unavailable)?;
        if !url.is_encrypted() {
            return exchange(tcp, url).await;
        }
        let name = ServerName::try_from(url.host().to_owned()).map_err(Error::unavailable)?;
        let tls = self.tls.connect(name, tcp).await.map_err(Error::unavailable)?;
        exchange(tls, url).await
    }
}

async fn exchange<S>(stream: S, url: &Url) -> Result<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let authority = url.origin().split_once("://").map_or("", |(_, authority)| authority);
    let request = Request::get(url.target())
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json, application/jwk-set+json")
        .header(header::USER_AGENT, "memgate")
        .body(Empty::<Bytes>::new())
        .map_err(Error::unavailable)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(Error::unavailable)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(Error::unavailable)?;
        if response.status() != StatusCode::OK {
            return Err(Error::unavailable(format!("the answer is {}", response.status())));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(Error::unavailable)?.to_bytes())
    };
    // The connection is driven beside the exchange, and ends when that drops the sender.
    let (answer, _) = join(exchange, connection).await;
    answer
}
