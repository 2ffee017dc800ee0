//! Logs and counts.
//!
//! What happened goes to one of three places: a log line on stderr ([`logs`]), a count that
//! `/admin/stats` shows ([`stats`]), or, for a refusal, the memory of the last of them
//! ([`refusals`]). None ever holds a secret (I5), and none decides anything.

pub mod histogram;
pub mod logs;
pub mod refusals;
pub mod stats;
