//! How much of everything a caller may have: rates per key, places per tenant.
//!
//! Keyed by the words of `domain` alone, so that `auth` (failures), `mcp` (tool calls) and
//! `http` (requests) ask the same limiter and answer with the same numbers.

pub mod decision;
pub mod places;
pub mod rates;

pub use decision::Decision;
