//! The administration: sessions, statistics, tenants, keys, the record
//! of decisions. Every route takes an operator's key.
//!
//! An operator manages and never reads a memory: nothing in here opens a store. Request bodies
//! are strict: an unknown field is an error, never ignored, so that nobody believes in a setting
//! that was not made.

pub mod audit;
mod exchange;
pub mod explain;
pub mod keys;
pub mod sessions;
pub mod stats;
pub mod tenants;
