//! How much of everything a caller may have: rates per key, places per tenant.
//!
//! Keyed by the words of `domain` alone, so that `auth` (failures), `mcp` (tool calls) and
//! `http` (requests) ask the same limiter and answer with the same numbers. Every map in here
//! is bounded or is swept, and time comes from [`domain::clock`](crate::domain::clock), so the
//! counts are exact in tests.

pub mod block;
pub mod decision;
pub mod headers;
mod meter;
pub mod pace;
pub mod places;
pub mod rates;
pub mod shards;
mod tally;
mod ticks;

pub use block::Block;
pub use decision::Decision;
