//! Logs and counts.
//!
//! What happened goes to one of two places: a log line on stderr ([`logs`]) or a count that
//! `/admin/stats` shows ([`stats`]). Neither ever holds a secret (I5), and neither decides
//! anything.

pub mod histogram;
pub mod logs;
pub mod stats;
