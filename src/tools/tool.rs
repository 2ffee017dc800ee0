//! What a tool is: its description, what it works with, what it says.
//!
//! To call one: `arguments::canonical(tool.spec(), given)`, then [`Tool::call`] with the result.
//! Everything a caller can do wrong comes back as an error whose public sentence may be shown.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    domain::{
        Error, Result,
        action::Action,
        bounds::Bounds,
        clock::Clock,
        memory::Author,
        pack::{Pack, Packs},
        tenant::TenantLabel,
        tool::ToolName,
    },
    store::TenantStore,
};

/// A tool's description.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// `snake_case`, at most 32 characters.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For models: the first sentence says when to use it.
    pub description: &'static str,
    /// The family it belongs to.
    pub pack: Pack,
    /// What policy is asked.
    pub action: Action,
    /// Hints for clients.
    pub annotations: Annotations,
    /// JSON Schema (2020-12) of the arguments, canonical names only, closed.
    pub input: Arc<Map<String, Value>>,
    /// JSON Schema of the structured answer.
    pub output: Arc<Map<String, Value>>,
    /// Other spellings that are accepted, as (alias, canonical).
    pub aliases: &'static [(&'static str, &'static str)],
    /// Listed only for keys that may see more than their own tenant.
    pub needs_act_as: bool,
}

impl ToolSpec {
    /// Its place in the closed list of names.
    #[must_use]
    pub fn tool_name(&self) -> Option<ToolName> {
        ToolName::find(self.name)
    }

    /// Whether a key with these packs and bounds sees it. A tool that it may not call is not
    /// there for it.
    #[must_use]
    pub fn is_seen(&self, packs: Packs, may_act_as: bool, bounds: &Bounds) -> bool {
        packs.contains(self.pack)
            && (may_act_as || !self.needs_act_as)
            && match self.tool_name() {
                Some(tool) => bounds.permit(self.action, Some(tool)),
                // In no list, so in no list of a key either.
                None => bounds.tools.is_none() && bounds.permit(self.action, None),
            }
    }
}

/// The four hints of the specification.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the specification has these four")]
pub struct Annotations {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Twice is like once.
    pub idempotent: bool,
    /// It reaches beyond this server.
    pub open_world: bool,
}

impl Annotations {
    /// It looks and leaves everything as it is.
    pub const READS: Self =
        Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// It adds something new each time.
    pub const ADDS: Self =
        Self { read_only: false, destructive: false, idempotent: false, open_world: false };
    /// It puts something in the place of what was there, or takes it away.
    pub const REPLACES: Self =
        Self { read_only: false, destructive: true, idempotent: true, open_world: false };
}

/// What a tool works with.
#[derive(Debug)]
pub struct Context {
    /// The tenant's memories, for reading or writing as the action says.
    pub store: Arc<dyn TenantStore>,
    /// The tenant's name, for texts.
    pub tenant: TenantLabel,
    /// The other tenants that the key may act for, opened for counting only; filled for tools
    /// with `needs_act_as`.
    pub others: Vec<(TenantLabel, Arc<dyn TenantStore>)>,
    /// Who writes.
    pub author: Author,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The server's name, for `health_check`.
    pub server_name: Arc<str>,
    /// The largest memory, in bytes.
    pub max_memory_bytes: usize,
}

/// What a tool says.
#[derive(Debug, Clone)]
pub struct Answer {
    /// For models and people.
    pub text: String,
    /// The same for programs; fits the output schema.
    pub structured: Value,
}

impl Answer {
    /// An answer whose structure is `structured`.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON, which no answer type of ours allows.
    pub fn new(text: String, structured: &impl Serialize) -> Result<Self> {
        let structured = serde_json::to_value(structured).map_err(Error::internal)?;
        Ok(Self { text, structured })
    }
}

/// A tool.
#[async_trait]
pub trait Tool: std::fmt::Debug + Send + Sync {
    /// Its description.
    fn spec(&self) -> &ToolSpec;

    /// Runs it. Arguments have canonical names and no undeclared ones among them.
    ///
    /// # Errors
    /// `BadInput` names the argument and why; any error becomes a tool result with `isError`.
    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer>;
}
