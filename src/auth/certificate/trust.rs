//! Whom we trust, and everybody who is here on that trust.
//!
//! The verifier of the handshake is asked once more for every certificate on the first request
//! after it was exchanged, and within a minute anyway: authorities and revocation lists change,
//! and lists and intermediate certificates grow old, under connections that live on.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{ServerConnection, pki_types::UnixTime, server::danger::ClientCertVerifier};

use super::client::ClientCertificate;
use crate::domain::clock::Clock;

/// A chain that was judged so many seconds ago is judged again.
const STALE: i64 = 60;

/// The authorities in force, and the certificates that are here.
pub struct Trust {
    current: ArcSwap<Anchors>,
    live: Mutex<HashMap<[u8; 32], Arc<ClientCertificate>>>,
}

struct Anchors {
    /// From 1.
    generation: u64,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    /// Trusts whom `verifier` trusts.
    #[must_use]
    pub fn new(verifier: Arc<dyn ClientCertVerifier>) -> Self {
        let anchors = Anchors { generation: 1, verifier };
        Self { current: ArcSwap::from_pointee(anchors), live: Mutex::default() }
    }

    /// Trusts whom `verifier` trusts from now on, and nobody else: who is here already is asked
    /// for again.
    pub fn exchange(&self, verifier: Arc<dyn ClientCertVerifier>) {
        let generation = self.current.load().generation + 1;
        self.current.store(Arc::new(Anchors { generation, verifier }));
    }

    /// The certificate of a connection whose handshake is done.
    pub fn admit(&self, connection: &ServerConnection) -> Option<Arc<ClientCertificate>> {
        let fresh = ClientCertificate::of(connection)?;
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = live.get(fresh.digest()).filter(|known| !known.gone().is_cancelled()) {
            return Some(Arc::clone(known));
        }
        let fresh = Arc::new(fresh);
        live.insert(*fresh.digest(), Arc::clone(&fresh));
        Some(fresh)
    }

    /// Whether a certificate is still good. INVARIANT I9: asked on every request. Tests:
    /// `i9_a_connection_ends_with_its_authority`, `i9_an_expired_certificate_ends_its_connection`.
    pub(in crate::auth) fn still_has(
        &self,
        certificate: &ClientCertificate,
        clock: &dyn Clock,
    ) -> bool {
        let anchors = self.current.load();
        let (judged, _) = certificate.judged();
        Self::is_good(certificate, &anchors, clock, judged != anchors.generation)
    }

    /// Once a second: ends what hangs on certificates that are good no more, and forgets those
    /// that nobody uses.
    pub(in crate::auth) fn tend(&self, clock: &dyn Clock) {
        let anchors = self.current.load();
        let now = clock.now().as_second();
        let here: Vec<_> = {
            let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            live.retain(|_, one| Arc::strong_count(one) > 1 || one.has_sessions());
            live.values().cloned().collect()
        };
        for certificate in here {
            let (judged, at) = certificate.judged();
            let is_due = judged != anchors.generation || now.saturating_sub(at) >= STALE;
            if !Self::is_good(&certificate, &anchors, clock, is_due) {
                self.forget(&certificate);
            }
        }
    }

    fn is_good(
        certificate: &ClientCertificate,
        anchors: &Anchors,
        clock: &dyn Clock,
        is_due: bool,
    ) -> bool {
        if certificate.gone().is_cancelled() {
            return false;
        }
        let now = clock.now();
        let in_time = now < certificate.not_after();
        let seconds = now.as_second();
        if in_time && (!is_due || judge(certificate, anchors, seconds)) {
            return true;
        }
        certificate.end();
        tracing::info!(in_time, "a client certificate is trusted no more: its connections end");
        false
    }

    fn forget(&self, certificate: &Arc<ClientCertificate>) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.get(certificate.digest()).is_some_and(|known| Arc::ptr_eq(known, certificate)) {
            live.remove(certificate.digest());
        }
    }
}

/// Has the verifier look at the chain again: authority, date, purpose, revocation.
fn judge(certificate: &ClientCertificate, anchors: &Anchors, now: i64) -> bool {
    let Some((leaf, chain)) = certificate.chain().split_first() else { return false };
    let time = Duration::from_secs(u64::try_from(now).unwrap_or_default());
    let time = UnixTime::since_unix_epoch(time);
    let is_good = anchors.verifier.verify_client_cert(leaf, chain, time).is_ok();
    if is_good {
        certificate.was_judged(anchors.generation, now);
    }
    is_good
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.current.load().generation;
        f.debug_struct("Trust").field("generation", &generation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
