//! One live session and its counts.
//!
//! Everything a request does here is atomic additions and one look at the clock. The token says
//! when the session is over, for whatever reason; a session that is over may be held and counted
//! on a little longer by a request under way, and is found by no new one.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Caller, Desk, book::Place, totals::Counts};
use crate::{
    domain::{
        client::ClientInfo,
        clock::Clock,
        key::KeyId,
        session::{SessionId, SessionRecord},
        tenant::Tenant,
    },
    registry::keyring::Proof,
};

/// One live session.
pub struct Session {
    id: SessionId,
    caller: Caller,
    tenant: Tenant,
    place: Place,
    first_seen: Timestamp,
    address: ArcSwap<IpAddr>,
    /// Of the newest secret that was presented for it.
    proof: ArcSwapOption<Proof>,
    /// Milliseconds since 1970.
    last_seen: AtomicI64,
    /// Milliseconds of the monotonic clock.
    last_active: AtomicU64,
    calls: AtomicU64,
    errors: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    open_streams: AtomicU64,
    ended: CancellationToken,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
    /// Weak, because the ledger's book holds the session.
    desk: Weak<Desk>,
}

impl Session {
    pub(super) fn open(
        desk: &Arc<Desk>,
        caller: Caller,
        tenant: Tenant,
        place: Place,
    ) -> Arc<Self> {
        let now = desk.clock.now();
        desk.counts.sessions.fetch_add(1, Ordering::Relaxed);
        caller.key.mark_client(&caller.client.name);
        Arc::new(Self {
            id: SessionId::random(desk.entropy.as_ref()),
            // INVARIANT I9: a key that is gone ends its sessions, because this token is a child
            // of the key's. Test: `i9_a_session_ends_with_its_key`.
            ended: caller.key.gone.child_token(),
            address: ArcSwap::from_pointee(caller.address),
            proof: ArcSwapOption::new(caller.proof.clone()),
            caller,
            tenant,
            place,
            first_seen: now,
            last_seen: AtomicI64::new(now.as_millisecond()),
            last_active: AtomicU64::new(millis(desk.clock.monotonic())),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            open_streams: AtomicU64::new(0),
            clock: Arc::clone(&desk.clock),
            counts: Arc::clone(&desk.counts),
            desk: Arc::downgrade(desk),
        })
    }

    /// The ledger's id.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The tenant it belongs to.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What its client says it is.
    #[must_use]
    pub fn client(&self) -> &ClientInfo {
        &self.caller.client
    }

    /// Cancelled when the session is ended by an operator, by idleness, by DELETE, or because
    /// its key is gone.
    #[must_use]
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Counts one request.
    pub fn record(&self, bytes_in: u64, failed: bool) {
        for count in [&self.calls, &self.counts.calls] {
            count.fetch_add(1, Ordering::Relaxed);
        }
        for bytes in [&self.bytes_in, &self.counts.bytes_in] {
            bytes.fetch_add(bytes_in, Ordering::Relaxed);
        }
        if failed {
            for errors in [&self.errors, &self.counts.errors] {
                errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.touch();
    }

    /// Counts answer bytes.
    pub fn sent(&self, bytes: u64) {
        for sum in [&self.bytes_out, &self.counts.bytes_out] {
            sum.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Where the newest request of a protocol session came from.
    pub fn seen_from(&self, address: IpAddr) {
        if **self.address.load() != address {
            self.address.store(Arc::new(address));
        }
    }

    /// The secret that came with the newest request of a protocol session: a client that has gone
    /// over to its key's new secret takes its session along, and never back.
    pub fn presented(&self, proof: Option<&Arc<Proof>>) {
        let Some(proof) = proof.filter(|proof| proof.ends_at().is_none()) else { return };
        if !self.proof.load().as_ref().is_some_and(|known| Arc::ptr_eq(known, proof)) {
            self.proof.store(Some(Arc::clone(proof)));
        }
    }

    /// Whether its secret or its key's hours are over. INVARIANT I9: asked once a second, so what
    /// is open ends within five. Tests: `i9_a_session_ends_with_its_secret`,
    /// `i9_a_session_ends_with_its_keys_hours`.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.proof.load().as_ref().is_some_and(|proof| proof.is_over(now))
            || !self.caller.key.record.bounds.is_open(now)
    }

    /// Counts an open stream until the guard is dropped; a session with one is not idle.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> StreamGuard {
        self.open_streams.fetch_add(1, Ordering::Relaxed);
        StreamGuard { session: Arc::clone(self) }
    }

    /// The client ended its protocol session.
    pub fn close(self: &Arc<Self>) {
        match self.desk.upgrade() {
            Some(desk) => desk.close(self),
            None => self.ended.cancel(),
        }
    }

    pub(super) fn key(&self) -> &KeyId {
        &self.caller.key.record.id
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(super) fn address(&self) -> IpAddr {
        **self.address.load()
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn touch(&self) {
        self.last_seen.store(self.clock.now().as_millisecond(), Ordering::Relaxed);
        self.last_active.store(millis(self.clock.monotonic()), Ordering::Relaxed);
        self.caller.key.mark_client(&self.caller.client.name);
    }

    pub(super) fn last_active(&self) -> u64 {
        self.last_active.load(Ordering::Relaxed)
    }

    pub(super) fn has_streams(&self) -> bool {
        self.open_streams.load(Ordering::Relaxed) > 0
    }

    /// How long nothing has been asked of it.
    pub(super) fn idle(&self, now: Duration) -> Duration {
        if self.has_streams() {
            return Duration::ZERO;
        }
        now.saturating_sub(Duration::from_millis(self.last_active()))
    }

    /// What an operator sees.
    pub(super) fn snapshot(&self) -> SessionRecord {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let last_seen = Timestamp::from_millisecond(self.last_seen.load(Ordering::Relaxed));
        SessionRecord {
            id: self.id.clone(),
            tenant_id: self.tenant.id.clone(),
            tenant: self.tenant.label.clone(),
            key: self.key().clone(),
            client: self.caller.client.clone(),
            protocol: self.caller.protocol.clone(),
            address: self.address(),
            first_seen: self.first_seen,
            last_seen: last_seen.unwrap_or(self.first_seen),
            calls: value(&self.calls),
            errors: value(&self.errors),
            bytes_in: value(&self.bytes_in),
            bytes_out: value(&self.bytes_out),
            open_streams: value(&self.open_streams),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("key", self.key())
            .finish_non_exhaustive()
    }
}

/// An open stream of a session.
#[derive(Debug)]
pub struct StreamGuard {
    session: Arc<Session>,
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.session.open_streams.fetch_sub(1, Ordering::Relaxed);
        // Idleness begins when the stream ends, not when it was opened.
        self.session.touch();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
