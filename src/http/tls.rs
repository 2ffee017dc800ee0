//! Certificates: read, checked, offered, and read again when they change.
//!
//! TLS 1.2 and 1.3 with AEAD suites only, as the provider offers no others. No early data (it
//! can be replayed), no session tickets and no resumption (a resumed session would outlive the
//! certificate it was made under, the client's as well as ours). ALPN offers what the listener speaks; a client that shares
//! none of it fails its handshake.

mod clients;
mod files;
mod watch;

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use rustls::{ServerConfig, ServerConnection};
use serde::Serialize;

pub use self::watch::watch;
use self::{clients::Clients, files::Files};
use crate::{
    auth::{
        ClientCertificate,
        certificate::{Trust, not_after},
    },
    config::listen::Tls,
    domain::{Error, Kind, Result},
};

/// The certificate in use, and where it comes from.
pub struct Certificates {
    settings: Tls,
    http2: bool,
    /// Whose client certificates are good; `None` where no client is asked for one.
    trust: Option<Arc<Trust>>,
    current: ArcSwap<Loaded>,
    problem: ArcSwapOption<String>,
}

struct Loaded {
    files: Files,
    config: Arc<ServerConfig>,
    not_after: Timestamp,
    clients: Option<Clients>,
}

/// What operators see of the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsStatus {
    /// When the certificate in use stops being valid.
    pub not_after: Timestamp,
    /// When the first of the authorities for client certificates stops being valid.
    pub client_ca_not_after: Option<Timestamp>,
    /// When the first of their revocation lists is stale, and all client certificates with it.
    pub client_crl_next_update: Option<Timestamp>,
    /// Why the newest files on disk are not in use, when they are not.
    pub problem: Option<String>,
}

impl Certificates {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// Says which file is missing or unreadable, or that key and certificate do not belong
    /// together.
    pub fn load(settings: &Tls, http2: bool) -> Result<Self> {
        let loaded = Loaded::from(Files::read(settings)?, settings, http2)?;
        let clients = loaded.clients.as_ref();
        Ok(Self {
            settings: settings.clone(),
            http2,
            trust: clients.map(|clients| Arc::new(Trust::new(clients.verifier()))),
            current: ArcSwap::from_pointee(loaded),
            problem: ArcSwapOption::empty(),
        })
    }

    /// What the next handshake uses.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// Whose client certificates are good, where clients are asked for one.
    #[must_use]
    pub fn trust(&self) -> Option<Arc<Trust>> {
        self.trust.clone()
    }

    /// What the client of a finished handshake proved about itself.
    pub(in crate::http) fn admit(
        &self,
        connection: &ServerConnection,
    ) -> Option<Arc<ClientCertificate>> {
        self.trust.as_ref()?.admit(connection)
    }

    /// What operators see.
    #[must_use]
    pub fn status(&self) -> TlsStatus {
        let current = self.current.load();
        let clients = current.clients.as_ref();
        TlsStatus {
            not_after: current.not_after,
            client_ca_not_after: clients.map(Clients::not_after),
            client_crl_next_update: clients.and_then(Clients::next_update),
            problem: self.problem.load().as_deref().cloned(),
        }
    }

    /// Reads the files again. When they have changed and are good, the next handshake uses them;
    /// when they are broken, the old ones stay and [`Certificates::status`] says why. Returns
    /// whether there is a new certificate.
    ///
    /// # Errors
    /// As [`Certificates::load`].
    pub fn reload(&self) -> Result<bool> {
        let read = Files::read(&self.settings).and_then(|files| {
            if files == self.current.load().files {
                return Ok(None);
            }
            Loaded::from(files, &self.settings, self.http2).map(Some)
        });
        match read {
            Ok(None) => {
                self.problem.store(None);
                Ok(false)
            }
            Ok(Some(loaded)) => {
                tracing::info!(not_after = %loaded.not_after, "new TLS files in use");
                let verifier = loaded.clients.as_ref().map(Clients::verifier);
                self.current.store(Arc::new(loaded));
                // After the store: a handshake under the old files is judged again by the new.
                if let (Some(trust), Some(verifier)) = (&self.trust, verifier) {
                    trust.exchange(verifier);
                }
                self.problem.store(None);
                Ok(true)
            }
            Err(error) => {
                let said = error.public().to_owned();
                let known = self.problem.load().as_deref().is_some_and(|old| *old == said);
                if !known {
                    tracing::error!(%error, "the new TLS files are broken; the old ones stay");
                }
                self.problem.store(Some(Arc::new(said)));
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Loaded {
    fn from(files: Files, settings: &Tls, http2: bool) -> Result<Self> {
        let (chain, key) = files.parse()?;
        let leaf = chain.first().ok_or_else(|| Error::bad_input("no certificate"))?;
        let not_after = not_after(leaf).ok_or_else(|| {
            Error::bad_input("the first certificate in the chain file cannot be read")
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let clients = Clients::from(&files, settings.client_certificates, &provider)?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(Error::internal)?;
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients.verifier()),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = if http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok(Self { files, config: Arc::new(config), not_after, clients })
    }
}

fn unusable(cause: rustls::Error) -> Error {
    let why = match cause {
        rustls::Error::InconsistentKeys(_) => {
            "the private key does not belong to the first certificate in the chain file"
        }
        _ => "the TLS certificate or key cannot be used",
    };
    Error::new(Kind::BadInput, why).caused_by(cause)
}

#[cfg(test)]
mod tests;
