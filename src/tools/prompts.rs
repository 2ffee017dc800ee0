//! Memento's two prompts: ready words for storing and for finding.
//!
//! Without arguments they explain what to give; with arguments they are the request itself. In
//! plain types; the room `mcp` maps them to the protocol's. What must stay true: a prompt holds
//! only our words and the caller's own, never a stored text.

use serde_json::{Map, Value};

use super::{
    arguments::{MAX_QUERY_BYTES, Reader},
    period::Period,
};
use crate::domain::{Error, Result, memory::Tag, tool::ToolName};

/// A prompt's description.
#[derive(Debug, Clone, Copy)]
pub struct Prompt {
    /// Names it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// For people.
    pub description: &'static str,
    /// The tool that it speaks of; without it the prompt leads nowhere.
    pub tool: ToolName,
    /// What may be given; all optional.
    pub arguments: &'static [Argument],
    say: fn(&mut Reader) -> Result<String>,
}

/// A prompt's argument.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Names it.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
}

/// Every prompt.
pub static PROMPTS: [Prompt; 2] = [
    Prompt {
        name: "store_memory_prompt",
        title: "Store a memory",
        description: "Help to store a memory",
        tool: ToolName::StoreMemory,
        arguments: &[
            Argument { name: "content", description: "The text to keep" },
            Argument { name: "tags", description: "Tags, with commas between them" },
        ],
        say: store,
    },
    Prompt {
        name: "retrieve_memory_prompt",
        title: "Find memories",
        description: "Help to find stored memories",
        tool: ToolName::RetrieveMemories,
        arguments: &[
            Argument { name: "query", description: "Words to look for" },
            Argument {
                name: "time_filter",
                description: "today, yesterday, last_week or last_month",
            },
            Argument { name: "tag_filter", description: "Only with this tag" },
        ],
        say: retrieve,
    },
];

/// The prompt of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Prompt> {
    PROMPTS.iter().find(|prompt| prompt.name == name)
}

impl Prompt {
    /// The words, as a message of the user.
    ///
    /// # Errors
    /// `BadInput` names the argument and why.
    pub fn say(&self, arguments: Map<String, Value>) -> Result<String> {
        let known = |name: &String| self.arguments.iter().any(|known| known.name == name);
        if !arguments.keys().all(known) {
            let names: Vec<_> = self.arguments.iter().map(|a| format!("`{}`", a.name)).collect();
            return Err(Error::bad_input(format!("`{}` takes {}", self.name, names.join(", "))));
        }
        (self.say)(&mut Reader::new(arguments))
    }
}

fn store(given: &mut Reader) -> Result<String> {
    let content = given.text_unless_blank("content", MAX_QUERY_BYTES)?;
    let tags = given.tags("tags")?.unwrap_or_default();
    let Some(content) = content else {
        return Ok("I want to store a memory. Ask me for what is missing, then call \
                   `store_memory`:\n\
                   1. the content to keep\n\
                   2. if I like: a file name, a one-line description, and tags\n\n\
                   Example: \"Store this meeting summary with the tags work, important\""
            .to_owned());
    };
    let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
    let tags =
        if tags.is_empty() { String::new() } else { format!(" with the tags {}", tags.join(", ")) };
    Ok(format!(
        "Store the following with `store_memory`{tags}. Keep the text as it is; choose a file name \
         and a one-line description.\n\n{content}"
    ))
}

fn retrieve(given: &mut Reader) -> Result<String> {
    let query = given.text_unless_blank("query", MAX_QUERY_BYTES)?;
    let period = given.choice("time_filter", &Period::NAMES)?;
    let tag = given.tag("tag_filter")?;
    if query.is_none() && period.is_none() && tag.is_none() {
        return Ok("I want to find stored memories. Ask me for what is missing, then call \
                   `retrieve_memories`:\n\
                   - words to look for\n\
                   - a time: today, yesterday, last_week, last_month\n\
                   - a tag\n\n\
                   Example: \"Show me what I stored last week with the tag work\""
            .to_owned());
    }
    let mut text = "Find my stored memories with `retrieve_memories`".to_owned();
    if let Some(period) = period {
        text.push_str(", time filter ");
        text.push_str(period.as_str());
    }
    if let Some(tag) = tag {
        text.push_str(", tag filter ");
        text.push_str(tag.as_str());
    }
    if let Some(query) = query {
        text.push_str(", about: ");
        text.push_str(&query);
    }
    text.push_str("\n\nSummarise what you find and name the id of each memory you use.");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn say(name: &str, arguments: Value) -> Result<String> {
        let Value::Object(arguments) = arguments else { panic!("not an object") };
        find(name).unwrap().say(arguments)
    }

    #[test]
    fn explains_or_asks() {
        let text = say("store_memory_prompt", json!({})).unwrap();
        assert!(text.contains("the content to keep"));
        let text = say("store_memory_prompt", json!({"content": "x\ny", "tags": "a,b"})).unwrap();
        assert!(text.contains("with the tags a, b.") && text.ends_with("\n\nx\ny"));
        let text = say("retrieve_memory_prompt", json!({"tag_filter": ""})).unwrap();
        assert!(text.contains("words to look for"));
        let given = json!({"query": "cake", "time_filter": "today", "tag_filter": "food"});
        let text = say("retrieve_memory_prompt", given).unwrap();
        assert!(text.starts_with(
            "Find my stored memories with `retrieve_memories`, time filter today, tag filter food, \
             about: cake\n"
        ));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(find("nope").is_none());
        for bad in [json!({"user_id": "bob"}), json!({"content": 1}), json!({"content": "a\0"})] {
            assert!(say("store_memory_prompt", bad).is_err());
        }
        let bad = say("retrieve_memory_prompt", json!({"time_filter": "soon"})).unwrap_err();
        assert!(bad.public().starts_with("`time_filter` must be one of today"));
    }

    #[test]
    fn every_argument_is_read() {
        for prompt in &PROMPTS {
            for argument in prompt.arguments {
                let value = if argument.name == "time_filter" { "today" } else { "zebra" };
                let mut given = Map::new();
                if argument.name == "tags" {
                    // Tags alone are nothing to store.
                    given.insert("content".into(), json!("x"));
                }
                given.insert(argument.name.into(), json!(value));
                let text = prompt.say(given).unwrap();
                assert!(text.contains(value), "{} {}", prompt.name, argument.name);
            }
        }
    }
}
