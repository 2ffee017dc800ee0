//! Who is calling, as one request shows it.

use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    domain::{Error, Result, client::ClientInfo, tenant::Tenant},
    registry::keyring::{Key, Proof},
};

/// Who is calling; `auth::Principal::caller` makes one. Two callers are the same when key,
/// secret, client, revision and address are: the tenant follows from the key (I1), and what an old
/// secret has open ends with it while the new one's goes on. A renewed token or client certificate
/// has the id of the old one and is another key: what hangs on the old one ends with it, and what
/// hangs on the new one must not. Test: `i9_a_renewed_credential_outlives_the_old_one`.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key, which names the tenant and tells when it is gone.
    pub key: Arc<Key>,
    /// How its secret was recognised; callers without a made key have none.
    pub proof: Option<Arc<Proof>>,
    /// What the client says it is.
    pub client: ClientInfo,
    /// The protocol revision in use.
    pub protocol: String,
    /// The client's address.
    pub address: IpAddr,
}

impl Caller {
    /// The tenant of the key.
    pub(super) fn tenant(&self) -> Result<&Tenant> {
        self.key
            .record
            .tenant
            .as_ref()
            .ok_or_else(|| Error::forbidden("an operator key opens no memory; use an agent key"))
    }

    /// A made key is exchanged when it is rotated, and its secrets stay what they are; any other is
    /// one thing for as long as it lives.
    fn has_credential_of(&self, other: &Self) -> bool {
        match (self.secret(), other.secret()) {
            (None, None) => Arc::ptr_eq(&self.key, &other.key),
            (own, others) => own == others && self.key.record.id == other.key.record.id,
        }
    }

    /// The proof as a thing: every secret has one of its own.
    fn secret(&self) -> Option<*const Proof> {
        self.proof.as_ref().map(Arc::as_ptr)
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.has_credential_of(other)
            && self.address == other.address
            && self.client == other.client
            && self.protocol == other.protocol
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.record.id.hash(state);
        self.secret().hash(state);
        self.client.hash(state);
        self.protocol.hash(state);
        self.address.hash(state);
    }
}
