//! Argument names: aliases to canonical ones, and a refusal of what nobody declared.

use serde_json::{Map, Value};

use crate::{
    domain::{Error, Result},
    tools::{ToolSpec, fence},
};

/// How alike two names must be (Jaro-Winkler) before one is suggested for the other.
const SIMILAR: f64 = 0.8;
/// So much of an unknown name is repeated in the refusal.
const SHOWN_CHARS: usize = 40;

/// The arguments under their canonical names, `null` ones left out.
///
/// # Errors
/// `BadInput` for an undeclared argument, with the nearest known one, and for an argument that
/// is given twice under different spellings.
pub fn canonical(spec: &ToolSpec, given: Map<String, Value>) -> Result<Map<String, Value>> {
    // Nearly every call: nothing to rename, nothing to copy.
    if given.iter().all(|(name, value)| is_declared(spec, name) && !value.is_null()) {
        return Ok(given);
    }
    let mut arguments = Map::new();
    for (name, value) in given {
        let name = if is_declared(spec, &name) {
            name
        } else {
            match spec.aliases.iter().find(|(alias, _)| *alias == name) {
                Some((_, canonical)) => (*canonical).to_owned(),
                None => return Err(undeclared(spec, &name)),
            }
        };
        if value.is_null() {
            continue;
        }
        if arguments.contains_key(&name) {
            return Err(Error::bad_input(format!(
                "`{name}` is given twice, under two spellings; give it once"
            )));
        }
        arguments.insert(name, value);
    }
    Ok(arguments)
}

fn declared(spec: &ToolSpec) -> impl Iterator<Item = &str> {
    let properties = spec.input.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|map| map.keys().map(String::as_str))
}

fn is_declared(spec: &ToolSpec, name: &str) -> bool {
    spec.input.get("properties").is_some_and(|properties| properties.get(name).is_some())
}

fn undeclared(spec: &ToolSpec, name: &str) -> Error {
    let (shown, cut) = fence::beginning(name, SHOWN_CHARS);
    let shown = format!("{}{}", fence::plain(shown), if cut { "…" } else { "" });
    let known = declared(spec).map(|name| (name, name));
    // A misspelt alias leads to the canonical name as well.
    let nearest = known
        .chain(spec.aliases.iter().copied())
        .map(|(spelling, canonical)| (strsim::jaro_winkler(spelling, &shown), canonical))
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = if let Some((_, canonical)) = nearest {
        format!("did you mean `{canonical}`?")
    } else {
        let names: Vec<_> = declared(spec).map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("`{}` takes {names}", spec.name)
    };
    Error::bad_input(format!("there is no argument `{shown}`; {hint}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::Catalogue;

    fn rename(tool: &str, given: Value) -> Result<Value> {
        let Value::Object(given) = given else { panic!("not an object") };
        let catalogue = Catalogue::new();
        canonical(catalogue.get(tool).unwrap().spec(), given).map(Value::Object)
    }

    #[test]
    fn every_alias_leads_to_a_declared_argument() {
        for tool in Catalogue::new().iter() {
            let spec = tool.spec();
            for (alias, canonical) in spec.aliases {
                assert!(is_declared(spec, canonical), "{}: {alias} -> {canonical}", spec.name);
                assert!(!is_declared(spec, alias), "{}: {alias} is no alias", spec.name);
            }
        }
    }

    #[test]
    fn spellings_that_models_reach_for() {
        for (tool, given, expected) in [
            ("retrieve_memories", json!({"q": "x"}), json!({"query": "x"})),
            ("retrieve_memories", json!({"search": "x"}), json!({"query": "x"})),
            ("retrieve_memories", json!({"text": "x"}), json!({"query": "x"})),
            ("retrieve_memories", json!({"n_results": 3}), json!({"limit": 3})),
            ("retrieve_memories", json!({"max_results": 3}), json!({"limit": 3})),
            ("retrieve_memories", json!({"top_k": 3}), json!({"limit": 3})),
            ("retrieve_memory", json!({"limit": 3}), json!({"max_results": 3})),
            ("retrieve_memory", json!({"q": "x"}), json!({"query": "x"})),
            ("get_memory_content", json!({"id": "x"}), json!({"memory_id": "x"})),
            ("delete_memory", json!({"id": "x"}), json!({"memory_id": "x"})),
            ("update_memory", json!({"id": "x"}), json!({"memory_id": "x"})),
            ("store_memory", json!({"text": "x"}), json!({"content": "x"})),
            ("store_memory", json!({"content": "x", "tags": null}), json!({"content": "x"})),
        ] {
            assert_eq!(rename(tool, given.clone()).unwrap(), expected, "{tool} {given}");
        }
    }

    #[test]
    fn two_spellings_of_one_argument_are_refused() {
        for given in [json!({"q": "a", "query": "b"}), json!({"q": "a", "text": "b"})] {
            let error = rename("retrieve_memories", given).unwrap_err();
            assert_eq!(error.public(), "`query` is given twice, under two spellings; give it once");
        }
    }

    #[test]
    fn undeclared_arguments_are_refused_by_name() {
        for (tool, given, expected) in [
            (
                "retrieve_memories",
                json!({"querry": "x"}),
                "there is no argument `querry`; did you mean `query`?",
            ),
            (
                "get_user_profile",
                json!({"tenant": "acme"}),
                "there is no argument `tenant`; `get_user_profile` takes \
                 `include_knowledge`, `include_assistant_knowledge`",
            ),
            (
                "delete_memory",
                json!({"filter": {}}),
                "there is no argument `filter`; `delete_memory` takes `memory_id`",
            ),
            (
                "get_user_stats",
                json!({"x": 1}),
                "there is no argument `x`; `get_user_stats` takes none",
            ),
            (
                "get_user_stats",
                json!({"a\n\u{202e}b": 1}),
                "there is no argument `a \u{fffd}b`; `get_user_stats` takes none",
            ),
        ] {
            assert_eq!(rename(tool, given).unwrap_err().public(), expected);
        }
        let long = rename("get_user_stats", json!({"y".repeat(5000): 1})).unwrap_err();
        assert!(long.public().len() < 200);
    }
}
