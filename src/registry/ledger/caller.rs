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
/// credential, client, revision and address are: the tenant follows from the key (I1), and what an
/// old credential has open ends with it while the new one's goes on. A rotated secret, a renewed
/// token and a renewed client certificate are such: they have the id of the old one. Tests:
/// `i9_a_session_ends_with_its_secret`, `i9_a_renewed_credential_outlives_the_old_one`.
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

    /// The credential as a thing: every secret of a made key has a proof of its own, and every
    /// token and client certificate a key of its own.
    fn credential(&self) -> *const () {
        match &self.proof {
            Some(proof) => Arc::as_ptr(proof).cast(),
            None => Arc::as_ptr(&self.key).cast(),
        }
    }
}

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.key.record.id == other.key.record.id
            && self.credential() == other.credential()
            && self.address == other.address
            && self.client == other.client
            && self.protocol == other.protocol
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.record.id.hash(state);
        self.credential().hash(state);
        self.client.hash(state);
        self.protocol.hash(state);
        self.address.hash(state);
    }
}
