//! A place for a protocol session that is about to be opened.

use std::sync::Arc;

use super::{Caller, Desk, Session};
use crate::domain::{random, tenant::Tenant};

/// A place for one protocol session: it counts against the caps from now on, and is given back
/// when it is dropped without having been bound.
#[derive(Debug)]
pub struct Reservation {
    caller: Caller,
    place: TakenPlace,
}

#[derive(Debug)]
struct TakenPlace {
    desk: Arc<Desk>,
    tenant: Tenant,
    /// From then on the session in the book holds the place.
    bound: bool,
}

impl Reservation {
    pub(super) fn new(desk: Arc<Desk>, caller: Caller, tenant: Tenant) -> Self {
        Self { caller, place: TakenPlace { desk, tenant, bound: false } }
    }

    /// The session was opened under this protocol id, which is kept as a fingerprint only.
    #[must_use]
    pub fn bind(self, protocol_id: &str) -> Arc<Session> {
        let Self { caller, mut place } = self;
        place.bound = true;
        place.desk.open_protocol(caller, place.tenant.clone(), protocol_id)
    }

    /// Opens the session under a protocol id made here, of 160 random bits: the id, to be told
    /// to the client and to nobody else, and the session.
    #[must_use]
    pub fn open(self) -> (String, Arc<Session>) {
        let id = random::token(self.place.desk.entropy.as_ref(), 32);
        let session = self.bind(&id);
        (id, session)
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        if !self.bound {
            self.desk.write().give_back(&self.tenant.id);
        }
    }
}
