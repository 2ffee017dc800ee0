//! What holds for every tool: names, descriptions, hints, and that a tool reads exactly the
//! arguments its schema announces. A new tool is under test as soon as it is in the catalogue.

use proptest::{collection, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{CATALOGUE, World, call};
use crate::{
    domain::{
        Kind,
        action::Access,
        bounds::Bounds,
        pack::{Pack, Packs},
    },
    tools::{ToolSpec, arguments},
};

fn properties(spec: &ToolSpec) -> &Map<String, Value> {
    spec.input["properties"].as_object().unwrap()
}

fn required(spec: &ToolSpec) -> Vec<&str> {
    let names = spec.input.get("required").and_then(Value::as_array).into_iter().flatten();
    names.map(|name| name.as_str().unwrap()).collect()
}

/// A value that the schema of one argument allows.
fn sample(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap() {
        "string" => schema.get("enum").map_or(json!("sample"), |names| names[0].clone()),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(true),
        "array" => json!(["sample"]),
        other => panic!("no sample for {other}"),
    }
}

/// A value of another type than the schema allows.
fn misfit(schema: &Value) -> Value {
    match schema["type"].as_str().unwrap() {
        "string" => json!(7),
        "integer" => json!("7"),
        "boolean" => json!("true"),
        "array" => json!({"0": "sample"}),
        other => panic!("no misfit for {other}"),
    }
}

fn samples(spec: &ToolSpec) -> Map<String, Value> {
    properties(spec).iter().map(|(name, schema)| (name.clone(), sample(schema))).collect()
}

#[test]
fn names_descriptions_and_schemas_keep_the_rules() {
    for tool in CATALOGUE.iter() {
        let spec = tool.spec();
        let name = spec.name;
        assert!(name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        assert!(spec.description.len() <= 300, "{name}: {}", spec.description.len());
        assert!(spec.description.starts_with("Use this "), "{name}");
        assert!(!spec.title.is_empty());
        for schema in [&spec.input, &spec.output] {
            let text = serde_json::to_string(schema).unwrap();
            assert!(!text.contains("$ref") && !text.contains("null"), "{name}: {text}");
            assert_eq!(schema["type"], "object", "{name}");
            assert_eq!(schema["additionalProperties"], false, "{name}");
        }
    }
}

#[test]
fn i1_no_tool_declares_an_argument_for_the_tenant() {
    for tool in CATALOGUE.iter() {
        for name in properties(tool.spec()).keys() {
            assert!(!["user_id", "tenant", "user", "agent_id"].contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn hints_say_what_the_action_does() {
    for tool in CATALOGUE.iter() {
        let spec = tool.spec();
        let reads = spec.action.access() == Access::Read;
        assert_eq!(spec.annotations.read_only, reads, "{}", spec.name);
        assert!(!spec.annotations.open_world, "{}", spec.name);
        assert!(!(reads && spec.annotations.destructive), "{}", spec.name);
    }
}

#[test]
fn names_are_unique_and_packs_choose() {
    let names: Vec<_> = CATALOGUE.iter().map(|tool| tool.spec().name).collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        assert_eq!(CATALOGUE.get(name).unwrap().spec().name, *name);
    }
    let visible = |packs: Packs, act_as| {
        CATALOGUE
            .visible(packs, act_as, &Bounds::default())
            .map(|tool| tool.spec().name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        visible(Packs::default(), false),
        [
            "store_memory",
            "retrieve_memories",
            "get_memory_content",
            "update_memory",
            "delete_memory",
            "get_user_stats",
            "add_memory",
            "retrieve_memory",
            "get_user_profile"
        ]
    );
    assert!(visible(Packs::default(), true).contains(&"list_users"));
    let demo = [Pack::Demo].into_iter().collect();
    assert_eq!(visible(demo, true), ["health_check", "echo", "get_time"]);
    assert!(visible(Vec::new().into(), true).is_empty());
    assert!(CATALOGUE.get("nope").is_none());
}

#[tokio::test]
async fn every_announced_argument_is_read_with_its_type() {
    for tool in CATALOGUE.iter() {
        let spec = tool.spec();
        let world = World::new();
        let outcome = call(&world, spec.name, samples(spec).into()).await;
        if let Err(error) = outcome {
            assert_eq!(error.kind(), Kind::NotFound, "{}: {error}", spec.name);
        }
        for (name, schema) in properties(spec) {
            let mut arguments = samples(spec);
            arguments.insert(name.clone(), misfit(schema));
            let error = call(&world, spec.name, arguments.into()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::BadInput, "{} {name}", spec.name);
            assert!(error.public().contains(&format!("`{name}` must be")), "{error}");
        }
    }
}

#[tokio::test]
async fn required_arguments_are_required_and_the_others_are_not() {
    for tool in CATALOGUE.iter() {
        let spec = tool.spec();
        for (name, _) in properties(spec) {
            let mut arguments = samples(spec);
            arguments.remove(name);
            let outcome = call(&World::new(), spec.name, arguments.into()).await;
            let refused = outcome.is_err_and(|e| e.public() == format!("`{name}` is required"));
            assert_eq!(refused, required(spec).contains(&name.as_str()), "{} {name}", spec.name);
        }
    }
}

#[test]
fn every_alias_works_as_its_canonical_name() {
    for tool in CATALOGUE.iter() {
        let spec = tool.spec();
        for (alias, canonical) in spec.aliases {
            let given = Map::from_iter([((*alias).to_owned(), json!("x"))]);
            let arguments = arguments::canonical(spec, given).unwrap();
            assert_eq!(Value::Object(arguments), json!({ *canonical: "x" }));
        }
    }
}

/// Any JSON value, small, with the texts that break things among it.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(vec!["", " ", "\0", "⟦⟧", "today", "conversation", "../x", "a,b", "%", "*"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A tool and arguments for it: declared names, aliases and others, with any values.
fn any_call() -> impl Strategy<Value = (&'static str, Map<String, Value>)> {
    let tools: Vec<_> = CATALOGUE.iter().map(|tool| tool.spec()).collect();
    select(tools).prop_flat_map(|spec| {
        let declared = properties(spec).keys().cloned();
        let aliases = spec.aliases.iter().map(|(alias, _)| (*alias).to_owned());
        let names: Vec<_> = declared.chain(aliases).chain(["other".to_owned()]).collect();
        // Most values fit, so that many calls get past the first argument.
        let fitting = select(samples(spec).into_values().chain([json!("x")]).collect::<Vec<_>>());
        let value = prop_oneof![fitting, any_value()];
        let arguments = collection::btree_map(select(names), value, 0..6);
        (Just(spec.name), arguments.prop_map(|map| map.into_iter().collect()))
    })
}

proptest! {
    #[test]
    fn no_arguments_panic_or_end_in_an_internal_error((tool, arguments) in any_call()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        // `call` also holds every answer against the tool's output schema.
        if let Err(error) = runtime.block_on(call(&world, tool, arguments.into())) {
            let known = [Kind::BadInput, Kind::NotFound, Kind::TooLarge];
            prop_assert!(known.contains(&error.kind()), "{error:?}");
            prop_assert!(error.public().len() < 400 && !error.public().contains('\0'));
        }
    }
}
