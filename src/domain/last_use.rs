//! When a key was last used, from where, and by what.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

/// The last use of a key, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastUse {
    /// When, to the minute.
    pub at: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
    /// What its client called itself.
    pub client: Option<String>,
}
