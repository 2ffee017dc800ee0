//! The words every other room speaks: plain values that are valid once made.
//!
//! Nothing here does I/O, awaits, or knows a framework. Time and randomness come in as
//! arguments ([`clock`], [`random`]), so every rule about them can be tested without waiting.

pub mod action;
pub mod bounds;
pub mod client;
pub mod clock;
pub mod error;
pub mod hours;
pub mod key;
pub mod last_use;
pub mod limits;
pub mod memory;
pub mod network;
pub mod pack;
pub mod random;
pub mod rate_class;
pub mod reach;
pub mod scope;
pub mod secret;
pub mod session;
pub mod strict_json;
pub mod tenant;
pub mod tool;

pub use error::{Error, Kind, Result};
