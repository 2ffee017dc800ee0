//! Listeners, layers, routes, answers: everything between a socket and the rooms that decide.
//!
//! `server` accepts connections and bounds them, `tls` keeps the certificates, `stack` puts the
//! layers in order, `routes` is the one table of what exists, and `admin`, `health` and `mcp`
//! answer. Nobody here makes a `Principal` or a `Permit`: this room only carries them.

pub mod admin;
pub mod error;
pub mod health;
pub mod layers;
mod mcp;
pub mod resource;
pub mod routes;
pub mod server;
pub mod stack;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;

/// Where the MCP endpoint is.
pub const MCP_PATH: &str = "/mcp";
