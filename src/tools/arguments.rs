//! What a caller sent, turned into typed values; every refusal names the argument and why.
//!
//! [`canonical`] maps the spellings that models reach for to the advertised ones and refuses
//! what no tool declares. [`Reader`] then takes the values out one by one, strictly typed. The
//! `user_id` of old clients is gone before this (`mcp::dispatch`). What must stay true: no
//! value of a caller stands in a message but names and numbers, shortened and made visible.

mod name;
mod reader;

pub use name::canonical;
pub use reader::Reader;

/// The longest search text, in bytes.
pub const MAX_QUERY_BYTES: usize = 4096;
/// The longest file name, in bytes.
pub const MAX_FILENAME_BYTES: usize = 200;
/// The longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 1000;
/// The most memories in one answer.
pub const MAX_RESULTS: usize = 100;
