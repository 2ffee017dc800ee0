//! Requests per key, tool calls per key, failures per address and per key id.

use std::{net::IpAddr, sync::Arc};

use super::Decision;
use crate::{
    config,
    domain::{clock::Clock, key::KeyId},
};

/// Every rate limiter that is not the per-address shield.
#[derive(Debug)]
pub struct Rates {}

impl Rates {
    /// Limiters for these settings, on this clock.
    #[must_use]
    pub fn new(settings: &config::limits::Limits, clock: Arc<dyn Clock>) -> Self {
        let _ = (settings, clock);
        todo!()
    }

    /// Counts one request of a key.
    #[must_use]
    pub fn request(&self, key: &KeyId) -> Decision {
        let _ = key;
        todo!()
    }

    /// Counts one tool call of a key; `None` when tool calls have no limit of their own.
    #[must_use]
    pub fn tool_call(&self, key: &KeyId) -> Option<Decision> {
        let _ = key;
        todo!()
    }

    /// Whether another attempt may be made from this address (and for this key id) at all;
    /// counts nothing.
    #[must_use]
    pub fn may_attempt(&self, address: IpAddr, key: Option<&KeyId>) -> Decision {
        let _ = (address, key);
        todo!()
    }

    /// Counts one failed credential.
    pub fn failed(&self, address: IpAddr, key: Option<&KeyId>) {
        let _ = (address, key);
        todo!()
    }

    /// Forgets keys and addresses whose buckets are full again. Called once a minute.
    pub fn sweep(&self) {
        todo!()
    }
}
