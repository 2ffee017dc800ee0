//! The tools as clients read them: the protocol's form of every [`ToolSpec`], made once.
//!
//! Which of them a caller sees follows from its key: its packs, its bounds, and whether it may act
//! for others. A tool that is not seen is, for every purpose, not there.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::{
    auth::Principal,
    domain::pack::Pack,
    tools::{Catalogue, ToolSpec},
};

/// The argument in which old clients name the tenant.
pub const USER_ID: &str = "user_id";

#[derive(Debug)]
struct Entry {
    spec: ToolSpec,
    /// As most keys see it.
    own: Tool,
    /// As a key with other tenants in reach sees it: with `user_id`.
    acting: Tool,
}

/// Every tool's description, in listing order.
#[derive(Debug)]
pub struct Listing {
    entries: Vec<Entry>,
}

impl Listing {
    /// Describes the tools of `catalogue`.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        let entries = catalogue.iter().map(|tool| {
            let spec = tool.spec();
            let acting = describe(
                spec,
                if takes_user_id(spec) { with_user_id(spec) } else { Arc::clone(&spec.input) },
            );
            Entry { spec: spec.clone(), own: describe(spec, Arc::clone(&spec.input)), acting }
        });
        Self { entries: entries.collect() }
    }

    /// What this caller sees, always in the same order.
    #[must_use]
    pub fn visible(&self, principal: &Principal) -> Vec<Tool> {
        let (packs, acts) = (principal.packs(), !principal.act_as().is_empty());
        self.entries
            .iter()
            .filter(|entry| entry.spec.is_seen(packs, acts, principal.bounds()))
            .map(|entry| if acts { &entry.acting } else { &entry.own })
            .cloned()
            .collect()
    }
}

/// Whether the tool works on one tenant, so that naming another makes sense.
fn takes_user_id(spec: &ToolSpec) -> bool {
    !spec.needs_act_as && spec.pack != Pack::Demo
}

fn describe(spec: &ToolSpec, input: Arc<JsonObject>) -> Tool {
    let hints = ToolAnnotations::with_title(spec.title)
        .read_only(spec.annotations.read_only)
        .destructive(spec.annotations.destructive)
        .idempotent(spec.annotations.idempotent)
        .open_world(spec.annotations.open_world);
    let mut tool = Tool::new(spec.name, spec.description, input);
    tool.title = Some(spec.title.to_owned());
    tool.annotations = Some(hints);
    tool.output_schema = Some(Arc::clone(&spec.output));
    tool
}

fn with_user_id(spec: &ToolSpec) -> Arc<JsonObject> {
    let mut schema = JsonObject::clone(&spec.input);
    let property = json!({
        "type": "string",
        "description": "The tenant to act for: your own, or one that this key may act for. \
                        Leave it out for your own.",
    });
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({})) {
        properties.insert(USER_ID.to_owned(), property);
    }
    Arc::new(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_id_stands_in_the_acting_schema_alone() {
        let listing = Listing::new(&Catalogue::new());
        for entry in &listing.entries {
            let has = |tool: &Tool| tool.input_schema["properties"].get(USER_ID).is_some();
            assert!(!has(&entry.own), "{}", entry.own.name);
            assert_eq!(has(&entry.acting), takes_user_id(&entry.spec), "{}", entry.acting.name);
        }
    }

    /// `MemoryHandler::get_tool` relies on it.
    #[test]
    fn no_tool_asks_for_argument_headers() {
        for tool in Catalogue::new().iter() {
            let schema = serde_json::to_string(&*tool.spec().input).unwrap();
            assert!(!schema.contains("x-mcp-header"), "{}", tool.spec().name);
        }
    }
}
