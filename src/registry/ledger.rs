//! The session ledger: every caller, in either era of the protocol, with counts that add up.
//!
//! A protocol session (2025 revisions) has one entry; a caller of the stateless revision has
//! one entry per key, client, revision and address, which ends when it is idle.

use std::{net::IpAddr, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::keyring::Key;
use crate::domain::{
    Result,
    client::ClientInfo,
    key::KeyId,
    session::{SessionId, SessionRecord},
};

/// Every session that is alive.
#[derive(Debug)]
pub struct Ledger {}

/// Who is calling, as one request shows it; `auth::Principal::caller` makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key, which names the tenant and tells when it is gone.
    pub key: Arc<Key>,
    /// What the client says it is.
    pub client: ClientInfo,
    /// The protocol revision in use.
    pub protocol: String,
    /// The client's address.
    pub address: IpAddr,
}

/// One live session.
#[derive(Debug)]
pub struct Session {}

impl Ledger {
    /// Finds or opens the entry of a caller of the stateless revision.
    ///
    /// # Errors
    /// `Forbidden` while an operator's end of this caller's session is in force.
    pub fn enter(&self, caller: Caller) -> Result<Arc<Session>> {
        let _ = caller;
        todo!()
    }

    /// Takes a place for a protocol session that is about to be opened, so that the caps hold
    /// under concurrency; dropping the place gives it back.
    ///
    /// # Errors
    /// `LimitReached` when the tenant or the deployment is full; `Forbidden` while an
    /// operator's end of this caller's session is in force.
    pub fn reserve(&self, caller: Caller) -> Result<Reservation> {
        let _ = caller;
        todo!()
    }

    /// The live entry of protocol session `id`, when it belongs to `key`. INVARIANT I8: a
    /// session of another key is the same `None` as an unknown one.
    #[must_use]
    pub fn find(&self, key: &KeyId, id: &str) -> Option<Arc<Session>> {
        let _ = (key, id);
        todo!()
    }

    /// Every live session, newest request first.
    #[must_use]
    pub fn list(&self) -> Vec<SessionRecord> {
        todo!()
    }

    /// Ends a session: its token is cancelled, its caller refused for `limits.ended_for`.
    /// Returns the record, or `None` when there is no such session.
    pub fn end(&self, id: &SessionId) -> Option<SessionRecord> {
        let _ = id;
        todo!()
    }

    /// Forgets what has been idle too long, and ends it. Called by the app once a second.
    pub fn sweep(&self) {
        todo!()
    }
}

/// A place for one protocol session.
#[derive(Debug)]
pub struct Reservation {}

impl Reservation {
    /// The session was opened under this protocol id.
    #[must_use]
    pub fn bind(self, protocol_id: &str) -> Arc<Session> {
        let _ = protocol_id;
        todo!()
    }
}

impl Session {
    /// The ledger's id.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        todo!()
    }

    /// Cancelled when the session is ended by an operator, by idleness, by DELETE, or because
    /// its key is gone.
    #[must_use]
    pub fn ended(&self) -> &CancellationToken {
        todo!()
    }

    /// Counts one request.
    pub fn record(&self, bytes_in: u64, failed: bool) {
        let _ = (bytes_in, failed);
        todo!()
    }

    /// Counts answer bytes.
    pub fn sent(&self, bytes: u64) {
        let _ = bytes;
        todo!()
    }

    /// Counts an open stream until the guard is dropped.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> StreamGuard {
        todo!()
    }

    /// The client ended its protocol session.
    pub fn close(&self) {
        todo!()
    }
}

/// An open stream of a session.
#[derive(Debug)]
pub struct StreamGuard {}
