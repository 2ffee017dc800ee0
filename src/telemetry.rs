//! Logs and counts.

pub mod stats;
