//! Certificates: read, checked, offered, and read again when they change.
//!
//! TLS 1.2 and 1.3 with AEAD suites only, as the provider offers no others. No early data (it
//! can be replayed), no session tickets and no resumption (a resumed session would outlive the
//! certificate it was made under). ALPN offers what the listener speaks; a client that shares
//! none of it fails its handshake.

mod expiry;
mod files;
mod watch;

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use rustls::ServerConfig;
use serde::Serialize;

use self::files::Files;
pub use self::{expiry::not_after, watch::watch};
use crate::{
    config::listen::Tls,
    domain::{Error, Kind, Result},
};

/// The certificate in use, and where it comes from.
pub struct Certificates {
    settings: Tls,
    http2: bool,
    current: ArcSwap<Loaded>,
    problem: ArcSwapOption<String>,
}

struct Loaded {
    files: Files,
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

/// What operators see of the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsStatus {
    /// When the certificate in use stops being valid.
    pub not_after: Timestamp,
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
        let loaded = Loaded::from(Files::read(settings)?, http2)?;
        Ok(Self {
            settings: settings.clone(),
            http2,
            current: ArcSwap::from_pointee(loaded),
            problem: ArcSwapOption::empty(),
        })
    }

    /// What the next handshake uses.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// What operators see.
    #[must_use]
    pub fn status(&self) -> TlsStatus {
        TlsStatus {
            not_after: self.current.load().not_after,
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
            Loaded::from(files, self.http2).map(Some)
        });
        match read {
            Ok(None) => {
                self.problem.store(None);
                Ok(false)
            }
            Ok(Some(loaded)) => {
                tracing::info!(not_after = %loaded.not_after, "new TLS certificate in use");
                self.current.store(Arc::new(loaded));
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
    fn from(files: Files, http2: bool) -> Result<Self> {
        let (chain, key) = files.parse()?;
        let leaf = chain.first().ok_or_else(|| Error::bad_input("no certificate"))?;
        let not_after = not_after(leaf).ok_or_else(|| {
            Error::bad_input("the first certificate in the chain file cannot be read")
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(Error::internal)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = if http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Ok(Self { files, config: Arc::new(config), not_after })
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
