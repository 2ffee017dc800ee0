//! JSON Schema (2020-12) of arguments and answers, made from the types that hold them.
//!
//! One self-contained schema a type: everything in place, no reference to anywhere, closed
//! (`additionalProperties: false` comes from the types). What Rust means by a type and clients
//! stumble over is taken out: integer formats, titles, and the `null` of an `Option`, because
//! what is absent is left out here, never `null`.

use std::sync::Arc;

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, transform_subschemas},
};
use serde_json::{Map, Value, json};

/// The schema of an argument type.
#[must_use]
pub fn input<T: JsonSchema>() -> Arc<Map<String, Value>> {
    Arc::new(finish::<T>(SchemaSettings::draft2020_12().for_deserialize()))
}

/// The schema of an answer type. Only its own fields are described: lists share their item
/// types, and every word of a tool list is paid for by each client's model.
#[must_use]
pub fn output<T: JsonSchema>() -> Arc<Map<String, Value>> {
    let mut map = finish::<T>(SchemaSettings::draft2020_12().for_serialize());
    let fields = map.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(Map::values_mut) {
        if let Ok(field) = <&mut Schema>::try_from(field) {
            transform_subschemas(&mut RecursiveTransform(undescribed), field);
        }
    }
    Arc::new(map)
}

fn finish<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let mut settings = settings.with_transform(RecursiveTransform(plain));
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let mut map = match schema.to_value() {
        Value::Object(map) => map,
        // `true` and `false` are schemas too, but no type of ours has one of them.
        _ => Map::new(),
    };
    // The type's own doc comment is for us; the tool's description is for callers.
    map.remove("description");
    map.entry("properties").or_insert_with(|| json!({}));
    map
}

fn plain(schema: &mut Schema) {
    let Some(map) = schema.as_object_mut() else { return };
    map.remove("title");
    if map.get("format").is_some_and(|format| format != "date-time") {
        map.remove("format");
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
}

fn undescribed(schema: &mut Schema) {
    schema.remove("description");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Sample {
        /// Words.
        query: String,
        limit: Option<u32>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Samples {
        /// Some.
        list: Vec<Sample>,
    }

    #[test]
    fn only_an_answer_s_own_fields_are_described() {
        let schema = output::<Samples>();
        let list = &schema["properties"]["list"];
        assert_eq!(list["description"], "Some.");
        assert!(list["items"]["properties"]["query"].get("description").is_none());
        assert!(input::<Sample>()["properties"]["query"].get("description").is_some());
    }

    #[test]
    fn schemas_are_closed_and_plain() {
        assert_eq!(
            Value::Object((*input::<Sample>()).clone()),
            json!({
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "Words."},
                    "limit": {"type": "integer", "minimum": 0},
                },
                "required": ["query"],
                "additionalProperties": false,
            })
        );
    }
}
