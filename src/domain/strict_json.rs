//! JSON in which no member stands twice.
//!
//! Of two members with one name, one reader takes the first and another the last; where a text
//! decides who somebody is, that is a way to be two people. Here such a text is no JSON at all.
//! Depth is bounded by the parser (128).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// The object that `bytes` are, or nothing.
#[must_use]
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Strict>(bytes).ok()?.0 {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no member stands twice")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = from.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_no_json() {
        for good in [r#"{"a":1,"b":{"a":2}}"#, "{}", r#"{"a":[{"x":1},{"x":1}]}"#] {
            let plain: Value = serde_json::from_str(good).unwrap();
            assert_eq!(object(good.as_bytes()).map(Value::Object), Some(plain));
        }
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            "[]",
            "1",
            "",
            "{} {}",
            r#"{"a":1e999}"#,
            &nested,
        ] {
            assert_eq!(object(bad.as_bytes()), None, "{}", &bad[..bad.len().min(40)]);
        }
    }

    proptest! {
        #[test]
        fn what_reads_here_reads_the_same_elsewhere(text in "\\{(\"[ab]\":[0-9\\[\\]{},:\"ab]{0,9},?){0,3}\\}") {
            if let Some(strict) = object(text.as_bytes()) {
                let plain: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(Value::Object(strict), plain);
            }
        }
    }
}
