//! A checker for the part of JSON Schema that the room `tools` uses. A keyword it does not know
//! is an error, so that nothing can slip through unchecked.

use std::fmt::Display;

use jiff::Timestamp;
use serde_json::Value;

/// Does `value` fit `schema`?
pub(in crate::tools) fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    at("answer", schema, value)
}

fn at(place: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let keywords = schema.as_object().ok_or(format!("{place}: the schema is no object"))?;
    let wrong = |why: &dyn Display| Err(format!("{place}: {why}: {value}"));
    for (keyword, rule) in keywords {
        let number = || rule.as_f64().unwrap();
        let fits = match keyword.as_str() {
            "description" | "default" => true,
            "type" => is(rule.as_str().unwrap(), value),
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|n| n >= number()),
            "maximum" => value.as_f64().is_none_or(|n| n <= number()),
            "minLength" => value.as_str().is_none_or(|s| s.chars().count() as f64 >= number()),
            "maxLength" => value.as_str().is_none_or(|s| s.chars().count() as f64 <= number()),
            "format" if rule == "date-time" => {
                value.as_str().is_none_or(|s| s.parse::<Timestamp>().is_ok())
            }
            "required" => {
                let names = rule.as_array().unwrap();
                names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        at(&format!("{place}.{name}"), inner, value)?;
                    }
                }
                true
            }
            "additionalProperties" if rule == false => {
                let known = &schema["properties"];
                value.as_object().is_none_or(|o| o.keys().all(|name| known.get(name).is_some()))
            }
            "items" => {
                for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                    at(&format!("{place}[{i}]"), rule, value)?;
                }
                true
            }
            other => return wrong(&format!("unknown keyword `{other}`")),
        };
        if !fits {
            return wrong(keyword);
        }
    }
    Ok(())
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_checker_finds_what_is_wrong() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "enum": ["a", ""]},
                "list": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                "at": {"type": "string", "format": "date-time"},
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        fits(&schema, &json!({"name": "a", "list": [1], "at": "2026-01-01T00:00:00Z"})).unwrap();
        for bad in [
            json!([]),
            json!({}),
            json!({"name": 1}),
            json!({"name": ""}),
            json!({"name": "b"}),
            json!({"name": "a", "x": 1}),
            json!({"name": "a", "list": [0]}),
            json!({"name": "a", "list": [1.5]}),
            json!({"name": "a", "at": "today"}),
            json!({"name": "a", "at": null}),
        ] {
            assert!(fits(&schema, &bad).is_err(), "{bad}");
        }
        assert!(fits(&json!({"$ref": "x"}), &json!(1)).is_err());
    }
}
