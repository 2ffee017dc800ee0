//! The ledger's tables, and the rules about how much stands in them.
//!
//! Plain data behind the ledger's lock: nothing here waits, reads a clock of its own or cancels
//! a token, so the lock is never held over foreign code. Every table has a bound.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use super::{Caller, Session};
use crate::{
    domain::{client::ClientInfo, clock::Clock, key::KeyId, tenant::TenantId},
    registry::fingerprint::Fingerprint,
};

/// Entries of stateless callers of one tenant. A client that changes its name on every call
/// displaces its own tenant's entries and nobody else's (I11).
const MAX_CALLERS_PER_TENANT: usize = 256;
/// Entries of stateless callers overall.
const MAX_CALLERS: usize = 16_384;
/// Callers refused after an operator's end; beyond it the one with the least time left goes.
const MAX_REFUSALS: usize = 4_096;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Among the stateless callers, under what it shows of itself.
    Caller,
    /// Among the protocol sessions, under the fingerprint of its id.
    Protocol(Fingerprint),
}

/// Whom an operator's end refuses: the caller, whatever revision it tries next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Refused {
    key: KeyId,
    client: ClientInfo,
    address: IpAddr,
}

impl Refused {
    pub(super) fn of(caller: &Caller, address: IpAddr) -> Self {
        Self { key: caller.key.record.id.clone(), client: caller.client.clone(), address }
    }
}

/// Which cap was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Tenant,
    Overall,
}

impl Full {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Tenant => "this tenant has as many sessions as it may; end one, or retry in 30 s",
            Self::Overall => "the server has as many sessions as it may; retry in 30 s",
        }
    }
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Book {
    callers: HashMap<Caller, Arc<Session>>,
    callers_of: HashMap<TenantId, usize>,
    protocol: HashMap<Fingerprint, Arc<Session>>,
    /// Places of protocol sessions, those only reserved included.
    places_of: HashMap<TenantId, usize>,
    places: usize,
    refusals: HashMap<Refused, Duration>,
}

impl Book {
    pub(super) fn caller(&self, caller: &Caller) -> Option<&Arc<Session>> {
        self.callers.get(caller).filter(|session| !session.ended().is_cancelled())
    }

    pub(super) fn protocol(&self, id: &Fingerprint) -> Option<&Arc<Session>> {
        self.protocol.get(id)
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.callers.values().chain(self.protocol.values())
    }

    /// How much longer this caller is refused.
    pub(super) fn refused_for(&self, caller: &Caller, clock: &dyn Clock) -> Option<Duration> {
        // Nearly always empty: then the check is free.
        if self.refusals.is_empty() {
            return None;
        }
        let until = self.refusals.get(&Refused::of(caller, caller.address))?;
        until.checked_sub(clock.monotonic()).filter(|left| !left.is_zero())
    }

    pub(super) fn refuse(&mut self, who: Refused, until: Duration) {
        if self.refusals.len() >= MAX_REFUSALS {
            let first = self.refusals.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(who, _)| who.clone()) {
                self.refusals.remove(&first);
            }
        }
        self.refusals.insert(who, until);
    }

    pub(super) fn forget_refusals(&mut self, now: Duration) {
        self.refusals.retain(|_, until| *until > now);
    }

    /// Counts one more protocol session, or says which cap forbids it.
    pub(super) fn take_place(
        &mut self,
        tenant: &TenantId,
        per_tenant: usize,
        overall: usize,
    ) -> Result<(), Full> {
        if self.places_of.get(tenant).is_some_and(|n| *n >= per_tenant) || per_tenant == 0 {
            return Err(Full::Tenant);
        }
        if self.places >= overall {
            return Err(Full::Overall);
        }
        *self.places_of.entry(tenant.clone()).or_default() += 1;
        self.places += 1;
        Ok(())
    }

    pub(super) fn give_back(&mut self, tenant: &TenantId) {
        self.places = self.places.saturating_sub(1);
        subtract(&mut self.places_of, tenant);
    }

    /// Enters a session; a protocol session's place must have been taken. Returns the session
    /// that stood there before.
    pub(super) fn add(&mut self, session: Arc<Session>) -> Option<Arc<Session>> {
        let tenant = session.tenant().id.clone();
        match session.place() {
            Place::Caller => {
                let old = self.callers.insert(session.caller().clone(), session);
                if old.is_none() {
                    *self.callers_of.entry(tenant).or_default() += 1;
                }
                old
            }
            Place::Protocol(id) => {
                let old = self.protocol.insert(id, session);
                if let Some(old) = &old {
                    self.give_back(&old.tenant().id);
                }
                old
            }
        }
    }

    /// Takes a session out, if it is still the one that stands in its place.
    pub(super) fn remove(&mut self, session: &Arc<Session>) {
        let tenant = &session.tenant().id;
        match session.place() {
            Place::Caller => {
                if self.callers.get(session.caller()).is_some_and(|s| Arc::ptr_eq(s, session)) {
                    self.callers.remove(session.caller());
                    subtract(&mut self.callers_of, tenant);
                }
            }
            Place::Protocol(id) => {
                if self.protocol.get(&id).is_some_and(|s| Arc::ptr_eq(s, session)) {
                    self.protocol.remove(&id);
                    self.give_back(tenant);
                }
            }
        }
    }

    /// Takes out every session that is `over`.
    pub(super) fn take_over(&mut self, over: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let out: Vec<_> = self.sessions().filter(|session| over(session)).cloned().collect();
        for session in &out {
            self.remove(session);
        }
        out
    }

    /// Makes room for one more stateless caller of this tenant: the longest unseen go, a sixteenth
    /// of the bound at once so that the search is paid rarely. Those with an open stream or a
    /// request under way go last: leaving cancels it, and nobody shall do that to another key.
    pub(super) fn make_room(&mut self, tenant: &TenantId) -> Vec<Arc<Session>> {
        let own = self.callers_of.get(tenant).copied().unwrap_or_default();
        let (bound, of) = if own >= MAX_CALLERS_PER_TENANT {
            (MAX_CALLERS_PER_TENANT, Some(tenant))
        } else if self.callers.len() >= MAX_CALLERS {
            (MAX_CALLERS, None)
        } else {
            return Vec::new();
        };
        let mut candidates: Vec<_> = self
            .callers
            .values()
            .filter(|session| of.is_none_or(|tenant| session.tenant().id == *tenant))
            .map(|session| {
                // Requests come by their session under the book's lock, which is held here, so a
                // session that only the book holds is one without a request.
                let busy = session.has_streams() || Arc::strong_count(session) > 1;
                (busy, session.last_active(), Arc::clone(session))
            })
            .collect();
        candidates.sort_by_key(|(busy, active, _)| (*busy, *active));
        candidates.truncate(bound / 16);
        let out: Vec<_> = candidates.into_iter().map(|(.., session)| session).collect();
        for session in &out {
            self.remove(session);
        }
        out
    }
}

/// One less; at zero the row goes, so that the table holds only tenants with sessions.
fn subtract(counts: &mut HashMap<TenantId, usize>, tenant: &TenantId) {
    if let Some(count) = counts.get_mut(tenant) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(tenant);
        }
    }
}
