//! Who is calling, as one request shows it.

use std::{
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use crate::{
    domain::{Error, Result, client::ClientInfo, tenant::Tenant},
    registry::keyring::Key,
};

/// Who is calling; `auth::Principal::caller` makes one. Two callers are the same when key,
/// client, revision and address are: the tenant follows from the key (I1). A renewed token or client
/// certificate has the id of the old one and is another key: what hangs on the old one ends with it,
/// and what hangs on the new one must not. Test: `i9_a_renewed_credential_outlives_the_old_one`.
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

impl Caller {
    /// The tenant of the key.
    pub(super) fn tenant(&self) -> Result<&Tenant> {
        self.key
            .record
            .tenant
            .as_ref()
            .ok_or_else(|| Error::forbidden("an operator key opens no memory; use an agent key"))
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
            && self.address == other.address
            && self.client == other.client
            && self.protocol == other.protocol
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.record.id.hash(state);
        self.client.hash(state);
        self.protocol.hash(state);
        self.address.hash(state);
    }
}
