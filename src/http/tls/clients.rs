//! Whose client certificates are good.
//!
//! All of it is rustls' own verifier: the chain, the dates, the purpose (`clientAuth`) and the
//! revocation lists. Where there are lists, every authority of a chain must have one, and one that
//! is stale vouches for nothing: a list that was forgotten would let the revoked in again.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::files::Files;
use crate::{
    auth::certificate::{next_update, not_after},
    config::listen::ClientCertificates,
    domain::{Error, Kind, Result},
};

/// The verifier of client certificates, and how long what it goes by is valid.
pub(super) struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    not_after: Timestamp,
    next_update: Option<Timestamp>,
}

impl Clients {
    /// Of these files; `None` where no client is asked for a certificate.
    pub(super) fn from(
        files: &Files,
        mode: ClientCertificates,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>> {
        if mode == ClientCertificates::Off {
            return Ok(None);
        }
        let (authorities, lists) = (files.authorities()?, files.revocations()?);
        let mut roots = RootCertStore::empty();
        let mut ends = Vec::new();
        for authority in authorities {
            ends.extend(not_after(&authority));
            roots.add(authority).map_err(|cause| {
                let why = "a certificate in the TLS client authority file is no authority's";
                Error::new(Kind::BadInput, why).caused_by(cause)
            })?;
        }
        let not_after = ends.into_iter().min().ok_or_else(|| {
            Error::bad_input("a certificate in the TLS client authority file cannot be read")
        })?;
        let next_update = lists.iter().filter_map(|list| next_update(list)).min();
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .with_crls(lists)
                .enforce_revocation_expiration();
        if mode == ClientCertificates::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build().map_err(unusable)?;
        Ok(Some(Self { verifier, not_after, next_update }))
    }

    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier)
    }

    /// When the first authority stops being valid.
    pub(super) fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// When the first revocation list is stale.
    pub(super) fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn unusable(cause: VerifierBuilderError) -> Error {
    let why = match cause {
        VerifierBuilderError::InvalidCrl(_) => {
            "a list in the TLS client revocation list file cannot be used"
        }
        _ => "the TLS client authorities cannot be used",
    };
    Error::new(Kind::BadInput, why).caused_by(cause)
}
