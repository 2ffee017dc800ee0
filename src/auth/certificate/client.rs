//! The proof that a client holds a certificate, and when that proof is over.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use rustls::{ServerConnection, pki_types::CertificateDer};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{names::Names, validity::not_after};
use crate::registry::keyring::Key;

/// What a TLS handshake of our own proved: the client has the key of this certificate, and the
/// verifier liked its chain.
///
/// INVARIANT I1: it can be made from a finished handshake alone, and in this room alone. The
/// connections that show the same chain share one.
///
/// ```compile_fail
/// fn forge(names: memgate::auth::certificate::names::Names) -> memgate::auth::ClientCertificate {
///     memgate::auth::ClientCertificate { names }
/// }
/// ```
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    digest: [u8; 32],
    names: Names,
    not_after: Timestamp,
    /// The generation of the trust that judged the chain last; 0 is none.
    judged: AtomicU64,
    /// When that was, in seconds since 1970.
    judged_at: AtomicI64,
    /// Its holder, once it was accepted alone.
    holder: OnceLock<Arc<Key>>,
    gone: CancellationToken,
}

impl ClientCertificate {
    /// Of a connection whose handshake is done; `None` where the client showed none.
    pub(in crate::auth) fn of(connection: &ServerConnection) -> Option<Self> {
        let chain = connection.peer_certificates().filter(|_| !connection.is_handshaking())?;
        let leaf = chain.first()?;
        // A leaf that rustls could read and we cannot has no names, and no time left.
        let names = Names::read(leaf).unwrap_or_default();
        let not_after = not_after(leaf).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut digest = Sha256::new();
        for certificate in chain {
            digest.update(certificate.len().to_be_bytes());
            digest.update(certificate);
        }
        Some(Self {
            chain: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(),
            digest: digest.finalize().into(),
            names,
            not_after,
            judged: AtomicU64::new(0),
            judged_at: AtomicI64::new(0),
            holder: OnceLock::new(),
            gone: CancellationToken::new(),
        })
    }

    /// Its names.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// When it stops being valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Cancelled when it is trusted no more: past its date, revoked, or of an authority that was
    /// taken out. The connection ends with it (I9).
    #[must_use]
    pub fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(in crate::auth) fn holder(&self) -> Option<&Arc<Key>> {
        self.holder.get()
    }

    /// Two requests that make a holder at the same time get one.
    pub(in crate::auth) fn hold(&self, key: Key) -> &Arc<Key> {
        self.holder.get_or_init(|| Arc::new(key))
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Which trust judged it last, and when.
    pub(super) fn judged(&self) -> (u64, i64) {
        (self.judged.load(Ordering::Acquire), self.judged_at.load(Ordering::Relaxed))
    }

    pub(super) fn was_judged(&self, generation: u64, at: i64) {
        self.judged_at.store(at, Ordering::Relaxed);
        self.judged.store(generation, Ordering::Release);
    }

    /// Ends it, and whatever hangs on it.
    pub(super) fn end(&self) {
        self.gone.cancel();
        if let Some(holder) = self.holder() {
            holder.gone.cancel();
        }
    }

    /// Whether a session hangs on it.
    pub(super) fn has_sessions(&self) -> bool {
        self.holder().is_some_and(|holder| Arc::strong_count(holder) > 1)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}
