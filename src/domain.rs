//! The words every other room speaks: plain values that are valid once made.
//!
//! Nothing here does I/O, awaits, or knows a framework. Time and randomness come in as
//! arguments ([`clock`], [`random`]), so every rule about them can be tested without waiting.

pub mod action;
pub mod client;
pub mod clock;
pub mod error;
pub mod key;
pub mod limits;
pub mod memory;
pub mod pack;
pub mod random;
pub mod scope;
pub mod secret;
pub mod session;
pub mod strict_json;
pub mod tenant;

pub use error::{Error, Kind, Result};
