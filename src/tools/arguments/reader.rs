//! Takes typed values out of an argument object.

use serde_json::{Map, Value};

use super::{MAX_FILENAME_BYTES, MAX_RESULTS};
use crate::{
    domain::{
        Error, Kind, Result,
        client::is_hidden,
        memory::{MAX_TAGS, MemoryId, Tag},
    },
    tools::fence,
};

/// An argument object, emptied value by value.
#[derive(Debug)]
pub struct Reader {
    arguments: Map<String, Value>,
}

impl Reader {
    /// Reads these arguments.
    #[must_use]
    pub fn new(arguments: Map<String, Value>) -> Self {
        Self { arguments }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.arguments.remove(name).filter(|value| !value.is_null())
    }

    /// A text as it is, at most `max_bytes` long.
    ///
    /// # Errors
    /// `BadInput` for another type or a NUL character, `TooLarge`.
    pub fn text(&mut self, name: &str, max_bytes: usize) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => checked(name, text, max_bytes).map(Some),
            Some(other) => Err(wrong(name, "text", &other)),
        }
    }

    /// A text that must be there and not blank.
    ///
    /// # Errors
    /// As [`Reader::text`], and `BadInput` when it is missing or blank.
    pub fn some_text(&mut self, name: &str, max_bytes: usize) -> Result<String> {
        let text = self.text(name, max_bytes)?.ok_or_else(|| required(name))?;
        if text.trim().is_empty() { Err(empty(name)) } else { Ok(text) }
    }

    /// A text whose blank form means that it was not given, as old clients send it.
    ///
    /// # Errors
    /// As [`Reader::text`].
    pub fn text_unless_blank(&mut self, name: &str, max_bytes: usize) -> Result<Option<String>> {
        Ok(self.text(name, max_bytes)?.filter(|text| !text.trim().is_empty()))
    }

    /// A file name: no directory in it, nothing hidden.
    ///
    /// # Errors
    /// As [`Reader::text`], and `BadInput` when it is more than a name.
    pub fn filename(&mut self, name: &str) -> Result<Option<String>> {
        let text = self.text_unless_blank(name, MAX_FILENAME_BYTES)?;
        match text {
            Some(text) if text.contains(|c| matches!(c, '/' | '\\') || is_hidden(c)) => {
                Err(Error::bad_input(format!(
                    "`{name}` must be a file name without `/`, `\\` and control characters"
                )))
            }
            text => Ok(text.map(|text| text.trim().to_owned())),
        }
    }

    /// A whole number from 1 to [`MAX_RESULTS`].
    ///
    /// # Errors
    /// `BadInput`.
    pub fn count(&mut self, name: &str, default: usize) -> Result<usize> {
        let Some(value) = self.take(name) else { return Ok(default) };
        // JSON has one kind of number: 5.0 is as whole as 5.
        let count = value.as_number().and_then(|number| {
            let number = number.to_string();
            number.strip_suffix(".0").unwrap_or(&number).parse().ok()
        });
        count
            .filter(|n| (1..=MAX_RESULTS).contains(n))
            .ok_or_else(|| wrong(name, &format!("a whole number from 1 to {MAX_RESULTS}"), &value))
    }

    /// True or false.
    ///
    /// # Errors
    /// `BadInput` for anything else.
    pub fn flag(&mut self, name: &str, default: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong(name, "true or false", &other)),
        }
    }

    /// One of these names; a blank text means that none was given.
    ///
    /// # Errors
    /// `BadInput` lists the names.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let value = match self.take(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(value) => value,
        };
        let found = choices.iter().find(|(choice, _)| value.as_str() == Some(choice));
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            Error::bad_input(format!("`{name}` must be one of {}", names.join(", ")))
        })
    }

    /// Tags, as a list of texts or as one text with commas; repeats (case ignored) are left out.
    ///
    /// # Errors
    /// `BadInput` for another type, a tag that breaks the rules, too many of them.
    pub fn tags(&mut self, name: &str) -> Result<Option<Vec<Tag>>> {
        let texts: Vec<String> = match self.take(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text
                .split(',')
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect(),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    other => Err(wrong(name, "a list of texts", &other)),
                })
                .collect::<Result<_>>()?,
            Some(other) => return Err(wrong(name, "a list of texts", &other)),
        };
        if texts.len() > MAX_TAGS {
            let given = texts.len();
            return Err(Error::bad_input(format!(
                "`{name}` may hold at most {MAX_TAGS} tags, not {given}"
            )));
        }
        let mut tags: Vec<Tag> = Vec::with_capacity(texts.len());
        let mut seen = Vec::with_capacity(texts.len());
        for text in texts {
            let tag = tag(name, &text)?;
            let folded = tag.as_str().to_lowercase();
            if !seen.contains(&folded) {
                seen.push(folded);
                tags.push(tag);
            }
        }
        Ok(Some(tags))
    }

    /// One tag; a blank text means that none was given.
    ///
    /// # Errors
    /// As [`Reader::tags`].
    pub fn tag(&mut self, name: &str) -> Result<Option<Tag>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() && !text.contains('\0') => Ok(None),
            Some(Value::String(text)) => tag(name, &text).map(Some),
            Some(other) => Err(wrong(name, "text", &other)),
        }
    }

    /// A memory's id.
    ///
    /// # Errors
    /// `BadInput` when it is missing or no text. A text that cannot be an id is `NotFound`.
    // INVARIANT I4: an impossible id, an unknown one and somebody else's get the same words;
    // test `i4_a_foreign_memory_and_none_read_the_same`.
    pub fn memory_id(&mut self, name: &str) -> Result<MemoryId> {
        let text = match self.take(name) {
            None => return Err(required(name)),
            Some(Value::String(text)) if text.trim().is_empty() => return Err(empty(name)),
            Some(Value::String(text)) => text,
            Some(other) => return Err(wrong(name, "text", &other)),
        };
        MemoryId::parse(&text).map_err(|_| Error::not_found("memory"))
    }

    /// Everything was read.
    ///
    /// # Errors
    /// `BadInput` names what was not: nothing that a caller sends is silently ignored.
    pub fn finish(self) -> Result<()> {
        match self.arguments.keys().next() {
            None => Ok(()),
            Some(name) => {
                let (shown, _) = fence::beginning(name, 40);
                let shown = fence::plain(shown);
                Err(Error::bad_input(format!("there is no argument `{shown}`")))
            }
        }
    }
}

fn checked(name: &str, text: String, max_bytes: usize) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::bad_input(format!("`{name}` must not contain a NUL character")));
    }
    if text.len() > max_bytes {
        let size = text.len();
        return Err(Error::new(
            Kind::TooLarge,
            format!("`{name}` is {size} bytes long; at most {max_bytes} are allowed"),
        ));
    }
    Ok(text)
}

fn tag(name: &str, text: &str) -> Result<Tag> {
    Tag::parse(text).map_err(|e| Error::bad_input(format!("`{name}`: {}", e.public())))
}

fn required(name: &str) -> Error {
    Error::bad_input(format!("`{name}` is required"))
}

fn empty(name: &str) -> Error {
    Error::bad_input(format!("`{name}` cannot be empty"))
}

fn wrong(name: &str, expected: &str, given: &Value) -> Error {
    let given = match given {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    Error::bad_input(format!("`{name}` must be {expected}, not {given}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reader(arguments: Value) -> Reader {
        let Value::Object(arguments) = arguments else { panic!("not an object") };
        Reader::new(arguments)
    }

    #[test]
    fn counts_are_whole_and_bounded() {
        for (given, expected) in [(json!({}), 10), (json!({"n": 1}), 1), (json!({"n": 100.0}), 100)]
        {
            assert_eq!(reader(given).count("n", 10).unwrap(), expected);
        }
        for (given, shown) in [
            (json!(-1), "-1"),
            (json!(0), "0"),
            (json!(101), "101"),
            (json!(i64::MAX), "9223372036854775807"),
            (json!(2.5), "2.5"),
            (json!(1e300), "1e+300"),
            (json!("5"), "a text"),
            (json!([5]), "a list"),
            (json!({"$gt": 0}), "an object"),
            (json!(true), "true"),
        ] {
            let error = reader(json!({ "n": given })).count("n", 10).unwrap_err();
            let words = format!("`n` must be a whole number from 1 to 100, not {shown}");
            assert_eq!(error.public(), words);
        }
    }

    #[test]
    fn texts_are_texts_of_a_bounded_size_without_nul() {
        assert_eq!(reader(json!({"t": "ok"})).text("t", 2).unwrap().unwrap(), "ok");
        assert!(reader(json!({})).text("t", 2).unwrap().is_none());
        for (given, words) in [
            (json!("abc"), "`t` is 3 bytes long; at most 2 are allowed"),
            (json!("\0"), "`t` must not contain a NUL character"),
            (json!({"$gt": ""}), "`t` must be text, not an object"),
            (json!(7), "`t` must be text, not 7"),
        ] {
            assert_eq!(reader(json!({ "t": given })).text("t", 2).unwrap_err().public(), words);
        }
        let blank = reader(json!({"t": " \n"})).some_text("t", 9).unwrap_err();
        assert_eq!(blank.public(), "`t` cannot be empty");
        let missing = reader(json!({})).some_text("t", 9).unwrap_err();
        assert_eq!(missing.public(), "`t` is required");
    }

    #[test]
    fn tags_come_as_a_list_or_with_commas() {
        for given in [json!(["Work", "a b", "work"]), json!(" Work, a b,,work ")] {
            let tags = reader(json!({ "tags": given })).tags("tags").unwrap().unwrap();
            assert_eq!(tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["Work", "a b"]);
        }
        assert_eq!(reader(json!({"tags": []})).tags("tags").unwrap(), Some(vec![]));
        let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
        for bad in [json!(7), json!([7]), json!(["a\0b"]), json!(["a,b"]), json!(many)] {
            assert!(reader(json!({ "tags": bad })).tags("tags").is_err(), "{bad}");
        }
    }

    #[test]
    fn file_names_are_names() {
        let name = reader(json!({"f": " a b.txt "})).filename("f").unwrap();
        assert_eq!(name.as_deref(), Some("a b.txt"));
        assert!(reader(json!({"f": ""})).filename("f").unwrap().is_none());
        for bad in ["../b", "a/b", "a\\b", "a\u{202e}txt.exe", "a\nb", &"x".repeat(201)] {
            assert!(reader(json!({ "f": bad })).filename("f").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn i4_an_impossible_id_reads_like_an_unknown_one() {
        for id in ["../bob/x", "1 OR 1=1", "a\0b", ".hidden", "ä"] {
            let error = reader(json!({ "id": id })).memory_id("id").unwrap_err();
            assert_eq!((error.kind(), error.public()), (Kind::NotFound, "memory not found"));
        }
        assert_eq!(
            reader(json!({"id": ""})).memory_id("id").unwrap_err().public(),
            "`id` cannot be empty"
        );
    }

    #[test]
    fn choices_and_flags() {
        let choices = [("a", 1), ("b", 2)];
        assert_eq!(reader(json!({"c": "b"})).choice("c", &choices).unwrap(), Some(2));
        assert_eq!(reader(json!({"c": ""})).choice("c", &choices).unwrap(), None);
        for bad in [json!("system"), json!(1), json!(["a"])] {
            let error = reader(json!({ "c": bad })).choice("c", &choices).unwrap_err();
            assert_eq!(error.public(), "`c` must be one of a, b");
        }
        assert!(!reader(json!({"f": false})).flag("f", true).unwrap());
        assert!(reader(json!({"f": "yes"})).flag("f", true).is_err());
    }

    #[test]
    fn nothing_is_silently_ignored() {
        let mut given = reader(json!({"a": true, "b": 1}));
        given.flag("a", false).unwrap();
        assert_eq!(given.finish().unwrap_err().public(), "there is no argument `b`");
    }
}
