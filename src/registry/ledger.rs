//! The session ledger: every caller, in either era of the protocol, with counts that add up.
//!
//! A protocol session (2025 revisions) has one entry; a caller of the stateless revision has
//! one entry per key, client, revision and address, which ends when it is idle. Every entry's
//! token is a child of its key's, so a key that is gone takes its sessions along (I9).
//!
//! A request costs one shared lock and one look-up; the counting is atomics. Nothing on the
//! path of a request touches the database: [`Ledger::sweep`] writes the totals in batches.

mod book;
mod caller;
mod reservation;
mod session;
mod totals;

pub use caller::Caller;
pub use reservation::Reservation;
pub use session::{Session, StreamGuard};
pub use totals::Totals;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use self::{
    book::{Book, Full, Place, Refused},
    totals::Counts,
};
use super::{control::ControlStore, fingerprint::Fingerprints};
use crate::{
    config::limits::Limits,
    domain::{
        Error, Kind, Result,
        clock::Clock,
        key::KeyId,
        limits::{AtOnce, Limit, Reached},
        random::Entropy,
        session::{SessionId, SessionRecord},
        tenant::Tenant,
    },
};

/// A protocol session id is a UUID; what is longer than this is nobody's and is not hashed.
const MAX_PROTOCOL_ID_BYTES: usize = 128;
/// Between two writes of the totals.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// When a place is full, somebody's session ends at the earliest by idleness; this is when
/// asking again begins to make sense.
const FULL_RETRY: Duration = Duration::from_secs(30);

/// Every session that is alive.
#[derive(Debug)]
pub struct Ledger {
    desk: Arc<Desk>,
}

/// What sessions and reservations need of the ledger they belong to.
#[derive(Debug)]
struct Desk {
    control: Arc<dyn ControlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    fingerprints: Fingerprints,
    per_tenant: usize,
    overall: usize,
    idle: Duration,
    ended_for: Duration,
    book: RwLock<Book>,
    counts: Arc<Counts>,
    /// When the totals were written last, and what they were.
    saved: Mutex<(Duration, Totals)>,
}

impl Ledger {
    pub(in crate::registry) fn new(
        control: Arc<dyn ControlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        limits: &Limits,
        totals: Totals,
    ) -> Self {
        let desk = Desk {
            fingerprints: Fingerprints::random(entropy.as_ref()),
            per_tenant: limits.sessions_per_tenant,
            overall: limits.sessions,
            idle: limits.session_idle,
            ended_for: limits.ended_for,
            book: RwLock::default(),
            counts: Arc::new(Counts::new(&totals)),
            saved: Mutex::new((clock.monotonic(), totals)),
            control,
            clock,
            entropy,
        };
        Self { desk: Arc::new(desk) }
    }

    /// Finds or opens the entry of a caller of the stateless revision.
    ///
    /// # Errors
    /// `Forbidden` while an operator's end of this caller's session is in force, or when the
    /// key has no tenant; `Unauthenticated` when the key is gone meanwhile.
    pub fn enter(&self, caller: Caller) -> Result<Arc<Session>> {
        let desk = &self.desk;
        {
            let book = desk.read();
            desk.admit(&book, &caller)?;
            if let Some(session) = book.caller(&caller) {
                session.touch();
                return Ok(Arc::clone(session));
            }
        }
        let tenant = caller.tenant()?.clone();
        let (session, dropped) = {
            let mut book = desk.write();
            // Asked again: an operator, or a second request of this caller, may have come between.
            desk.admit(&book, &caller)?;
            if let Some(session) = book.caller(&caller) {
                return Ok(Arc::clone(session));
            }
            let dropped = book.make_room(&tenant.id);
            let session = Session::open(desk, caller, tenant, Place::Caller);
            book.add(Arc::clone(&session));
            (session, dropped)
        };
        for old in dropped {
            old.ended().cancel();
        }
        Ok(session)
    }

    /// Takes a place for a protocol session that is about to be opened, so that the caps hold
    /// under concurrency; dropping the place gives it back.
    ///
    /// # Errors
    /// `LimitReached` when the tenant or the deployment is full; `Forbidden` while an
    /// operator's end of this caller's session is in force, or when the key has no tenant;
    /// `Unauthenticated` when the key is gone meanwhile.
    pub fn reserve(&self, caller: Caller) -> Result<Reservation> {
        let tenant = caller.tenant()?.clone();
        let mut place = self.desk.take_place(&caller, &tenant)?;
        if place.is_err() {
            // Sessions that are over may still hold places until the next sweep.
            self.forget_ended();
            place = self.desk.take_place(&caller, &tenant)?;
        }
        place.map_err(|full| {
            let limit = match full {
                Full::Tenant => Limit::Places(AtOnce::Sessions, self.desk.per_tenant),
                Full::Overall => Limit::Places(AtOnce::AllSessions, self.desk.overall),
            };
            let reached = Reached { limit, retry_after: FULL_RETRY };
            Error::new(Kind::LimitReached(reached), full.sentence())
        })?;
        Ok(Reservation::new(Arc::clone(&self.desk), caller, tenant))
    }

    /// The live entry of protocol session `id`, when it belongs to `key`.
    ///
    /// INVARIANT I8: a session of another key is the same `None` as an unknown one, after the
    /// same work. Test: `i8_a_foreign_session_is_unknown`.
    #[must_use]
    pub fn find(&self, key: &KeyId, id: &str) -> Option<Arc<Session>> {
        if id.len() > MAX_PROTOCOL_ID_BYTES {
            return None;
        }
        let fingerprint = self.desk.fingerprints.of(id);
        let book = self.desk.read();
        let session = book.protocol(&fingerprint)?;
        if session.key() != key || session.ended().is_cancelled() {
            return None;
        }
        session.touch();
        Some(Arc::clone(session))
    }

    /// Every live session, newest request first.
    #[must_use]
    pub fn list(&self) -> Vec<SessionRecord> {
        let sessions: Vec<_> = self.desk.read().sessions().cloned().collect();
        let mut records: Vec<_> = sessions
            .iter()
            .filter(|session| !session.ended().is_cancelled())
            .map(|session| session.snapshot())
            .collect();
        records.sort_by(|a, b| (b.last_seen, &b.id).cmp(&(a.last_seen, &a.id)));
        records
    }

    /// What all sessions since `counted_since` add up to, restarts included.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.desk.counts.read()
    }

    /// Ends a session: its token is cancelled, its caller refused for `limits.ended_for`.
    /// Returns the record, or `None` when there is no such session.
    #[must_use]
    pub fn end(&self, id: &SessionId) -> Option<SessionRecord> {
        let desk = &self.desk;
        let session = {
            let mut book = desk.write();
            let live = |s: &&Arc<Session>| s.id() == id && !s.ended().is_cancelled();
            let session = book.sessions().find(live).cloned()?;
            book.remove(&session);
            let until = desk.clock.monotonic().saturating_add(desk.ended_for);
            // Where it is now, not where it began: a protocol session may have moved.
            book.refuse(Refused::of(session.caller(), session.address()), until);
            session
        };
        let record = session.snapshot();
        session.ended().cancel();
        Some(record)
    }

    /// Forgets what has been idle too long or is over, and ends it; writes the totals every ten
    /// seconds. Called by the app once a second, from the blocking pool.
    ///
    /// # Errors
    /// `Unavailable` when the totals cannot be written; they are kept for the next time.
    pub fn sweep(&self) -> Result<()> {
        self.forget_ended();
        let now = self.desk.clock.monotonic();
        self.desk.write().forget_refusals(now);
        let last = self.desk.saved.lock().unwrap_or_else(PoisonError::into_inner).0;
        if now.saturating_sub(last) < SAVE_EVERY { Ok(()) } else { self.save() }
    }

    /// Writes the totals now: what the app does last before it ends.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be written.
    pub fn save(&self) -> Result<()> {
        let mut saved = self.desk.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = self.totals();
        if totals != saved.1 {
            self.desk.control.save_totals(&totals)?;
        }
        *saved = (self.desk.clock.monotonic(), totals);
        Ok(())
    }

    fn forget_ended(&self) {
        let (now, date) = (self.desk.clock.monotonic(), self.desk.clock.now());
        let over = self.desk.write().take_over(|session| {
            session.ended().is_cancelled()
                || session.is_over(date)
                || session.idle(now) >= self.desk.idle
        });
        for session in over {
            session.ended().cancel();
        }
    }
}

impl Desk {
    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this caller may have a session at all.
    fn admit(&self, book: &Book, caller: &Caller) -> Result<()> {
        if caller.key.gone.is_cancelled() {
            return Err(Error::new(Kind::Unauthenticated, "unauthorized"));
        }
        match book.refused_for(caller, self.clock.as_ref()) {
            None => Ok(()),
            Some(left) => Err(Error::forbidden(format!(
                "this session was ended by an operator; it may come back in {} s",
                left.as_secs().saturating_add(1)
            ))),
        }
    }

    fn take_place(&self, caller: &Caller, tenant: &Tenant) -> Result<Result<(), Full>> {
        let mut book = self.write();
        self.admit(&book, caller)?;
        Ok(book.take_place(&tenant.id, self.per_tenant, self.overall))
    }

    /// Closes one session: it is forgotten and its token cancelled.
    fn close(&self, session: &Arc<Session>) {
        self.write().remove(session);
        session.ended().cancel();
    }

    fn open_protocol(
        self: &Arc<Self>,
        caller: Caller,
        tenant: Tenant,
        protocol_id: &str,
    ) -> Arc<Session> {
        let place = Place::Protocol(self.fingerprints.of(protocol_id));
        let session = Session::open(self, caller, tenant, place);
        let (admitted, displaced) = {
            let mut book = self.write();
            (self.admit(&book, session.caller()), book.add(Arc::clone(&session)))
        };
        if let Some(old) = displaced {
            old.ended().cancel();
        }
        if admitted.is_err() {
            // An operator ended this caller's other session between reservation and opening.
            self.close(&session);
        }
        session
    }
}

#[cfg(test)]
mod tests;
