//! Our memory tools, one file each, and the list of them.
//!
//! A tool knows nothing of MCP, HTTP or keys: it gets an open store and arguments that fit its
//! schema, and answers with text and a structure. Which tools a caller sees, whether it may use
//! them, and on which tenant, is decided before a tool runs (`mcp::dispatch`).

pub mod tool;

pub use tool::{Annotations, Answer, Context, Tool, ToolSpec};
