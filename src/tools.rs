//! Our memory tools, one file each, and the list of them.
//!
//! A tool knows nothing of MCP, HTTP or keys: it gets an open store and arguments that fit its
//! schema, and answers with text and a structure. Which tools a caller sees, whether it may use
//! them, and on which tenant, is decided before a tool runs (`mcp::dispatch`).

pub mod arguments;
pub mod catalogue;
pub mod completion;
pub mod entry;
pub mod fence;
pub mod one_memory;
pub mod page;
pub mod period;
pub mod profile;
pub mod prompts;
pub mod resources;
pub mod schema;
pub mod tool;

// pack `memento`
pub mod delete_memory;
pub mod get_memory_content;
pub mod get_user_stats;
pub mod list_users;
pub mod retrieve_memories;
pub mod store_memory;
pub mod update_memory;

// pack `memoryos`
pub mod add_memory;
pub mod get_user_profile;
pub mod retrieve_memory;

// pack `demo`
pub mod echo;
pub mod get_time;
pub mod health_check;

#[cfg(test)]
mod testing;

pub use catalogue::Catalogue;
pub use tool::{Annotations, Answer, Context, Tool, ToolSpec};
