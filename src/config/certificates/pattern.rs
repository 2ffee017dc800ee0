//! `spiffe://example.org/ns/prod/sa/{tenant}`: one placeholder, and the rest to the letter.
//!
//! No wildcard and no expression: what a pattern matches can be seen by looking at it. What stands
//! at the placeholder must be the name of a tenant, and a name of a tenant has no dot and no slash.

use crate::config::form::{Form, Raw, Text};

/// Where the tenant stands.
const PLACEHOLDER: &str = "{tenant}";

/// A name with a tenant in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
}

impl Pattern {
    /// What stands at the placeholder, when all the rest is as it should be.
    #[must_use]
    pub fn tenant<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.before)?.strip_suffix(&self.after)
    }

    /// The same pattern for names in which case does not count.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        let [before, after] = [&self.before, &self.after].map(|text| text.to_ascii_lowercase());
        Self { before, after }
    }
}

impl Form for Pattern {
    type Value = Self;

    const NAME: &'static str = "text with `{tenant}` in it";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = Text::read(raw)?;
        let parts: Vec<_> = text.split(PLACEHOLDER).collect();
        match parts.as_slice() {
            [before, after] if !before.contains('*') && !after.contains('*') => {
                Ok(Self { before: (*before).to_owned(), after: (*after).to_owned() })
            }
            [_, _] => Err("has a `*`, which matches nothing but itself; write the name out, and \
                           `{tenant}` where the tenant stands"
                .to_owned()),
            _ => {
                Err("must have `{tenant}` in it, once; `tenant_map` is for whole names".to_owned())
            }
        }
    }

    fn show(value: &Self) -> String {
        format!("{}{PLACEHOLDER}{}", value.before, value.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Pattern, String> {
        Pattern::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn the_rest_is_to_the_letter() {
        let pattern = read("spiffe://example.org/ns/prod/sa/{tenant}").unwrap();
        assert_eq!(pattern.tenant("spiffe://example.org/ns/prod/sa/acme"), Some("acme"));
        for other in ["spiffe://example.org/ns/dev/sa/acme", "SPIFFE://example.org/ns/prod/sa/acme"]
        {
            assert_eq!(pattern.tenant(other), None, "{other}");
        }
        let middle = read("aba{tenant}aba").unwrap();
        assert_eq!(middle.tenant("aba"), None, "the two ends do not share a letter");
        assert_eq!(middle.tenant("abaaba"), Some(""));
        assert_eq!(Pattern::show(&middle), "aba{tenant}aba");
    }

    #[test]
    fn i3_one_placeholder_and_no_wildcard() {
        for bad in ["acme", "{tenant}.{tenant}", "*.{tenant}", "{tenant}.*", "", "{ tenant }"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
