//! What a limiter says: allowed or not, how much is left, when it is better.

use std::time::Duration;

use crate::domain::limits::{Class, Rate};

/// One answer of one limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Which limit.
    pub class: Class,
    /// Its quota.
    pub rate: Rate,
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many more may come at once.
    pub remaining: u32,
    /// Until one more may come (0 while `remaining` is not 0).
    pub retry_after: Duration,
}
