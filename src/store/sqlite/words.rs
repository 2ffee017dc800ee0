//! A query's text becomes words, and words become an FTS5 expression: never the text itself.
//!
//! Every word stands in double quotes, so nothing a caller writes is an operator, a column name
//! or a syntax error. Words are joined with OR and ranked; a word of three letters or more also
//! finds the words that start with it.

use crate::domain::{Error, Result};

/// The most words of a query that count.
const MAX_WORDS: usize = 32;
/// The most text of a query that is looked at, in bytes.
const MAX_TEXT_BYTES: usize = 4096;
/// From so many characters on, a word also stands for the beginning of longer ones.
const MIN_PREFIX_CHARS: usize = 3;

/// One word of a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word {
    text: String,
    /// Whether longer words that begin with it count too.
    begins: bool,
}

/// A word as the index's own list of terms knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span<'a> {
    /// The word itself.
    pub(super) exactly: &'a str,
    /// Whether every term between the ends counts, or only the word itself.
    pub(super) begins: bool,
    /// The first term of the list.
    pub(super) from: &'a str,
    /// The last one that could be.
    pub(super) to: String,
}

impl Word {
    /// The word's place among the index's terms. A word of other than ASCII letters and digits
    /// has none: only the index itself knows what it makes of its marks.
    pub(super) fn span(&self) -> Option<Span<'_>> {
        if !self.text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let (from, to) = if self.begins {
            let from = stem(&self.text);
            // No character sorts behind this one.
            (from, [from, "\u{10ffff}"].concat())
        } else {
            (self.text.as_str(), self.text.clone())
        };
        Some(Span { exactly: &self.text, begins: self.begins, from, to })
    }

    /// The word as it stands, without those that begin with it.
    pub(super) fn whole(&self) -> Self {
        Self { begins: false, ..self.clone() }
    }

    /// Whether it stands for longer words too.
    pub(super) fn begins_others(&self) -> bool {
        self.begins
    }

    /// Adds itself to what is given to `MATCH`.
    fn write(&self, expression: &mut String) {
        // SECURITY: a word holds letters, digits and marks only, so the quotes cannot be closed
        // from inside. Held by `no_text_is_syntax` and `any_text_can_be_searched_for`.
        let quoted = ["\"", &self.text, "\""].concat();
        expression.push_str(&quoted);
        if self.begins {
            // Both: the whole word ranks above words that only start like it.
            expression.push_str(" OR \"");
            expression.push_str(stem(&self.text));
            expression.push_str("\"*");
        }
    }
}

/// The first different words of `text`, lowercase.
///
/// # Errors
/// `BadInput` when it holds none.
pub(super) fn parse(text: &str) -> Result<Vec<Word>> {
    let words = words(text);
    if words.is_empty() {
        return Err(Error::bad_input("the query has no words"));
    }
    Ok(words
        .into_iter()
        .map(|text| Word { begins: text.chars().count() >= MIN_PREFIX_CHARS, text })
        .collect())
}

/// What is given to `MATCH` for any of `words`.
pub(super) fn expression(words: &[Word]) -> String {
    let mut expression = String::new();
    for word in words {
        if !expression.is_empty() {
            expression.push_str(" OR ");
        }
        word.write(&mut expression);
    }
    expression
}

fn words(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    for word in text.split(|c: char| !is_of_word(c)).filter(|w| !w.is_empty()) {
        // Other scripts are left as they are: the index folds a query as it folded the text, by
        // tables of its own, which know fewer letters than Rust's.
        let word = if word.is_ascii() { word.to_ascii_lowercase() } else { word.to_owned() };
        if word.chars().any(char::is_alphanumeric) && !found.contains(&word) {
            found.push(word);
        }
        if found.len() == MAX_WORDS {
            break;
        }
    }
    found
}

/// What a word and its English inflections begin with; of other words, all of it. It may cut too
/// little, which loses an inflection, and never so much that any word would do.
fn stem(word: &str) -> &str {
    for (suffix, least) in [("ing", 4), ("ed", 4), ("ies", 3), ("es", 3), ("s", 3)] {
        let Some(rest) = word.strip_suffix(suffix) else { continue };
        if rest.len() < least
            || !word.is_ascii()
            || (suffix == "s" && rest.ends_with(['s', 'u', 'i']))
        {
            return word;
        }
        let doubled =
            rest.len() > 3 && rest.as_bytes().last_chunk::<2>().is_some_and(|[a, b]| a == b);
        return if doubled && least == 4 { &rest[..rest.len() - 1] } else { rest };
    }
    word
}

/// Letters, digits, and the marks that are written over them.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expression(text: &str) -> Result<String> {
        parse(text).map(|words| super::expression(&words))
    }

    #[test]
    fn words_are_quoted_and_joined() {
        assert_eq!(expression("Go, World!").unwrap(), r#""go" OR "world" OR "world"*"#);
        assert_eq!(expression("a A a").unwrap(), r#""a""#);
        assert_eq!(words("naïve Füße 北京 x²").len(), 4);
    }

    #[test]
    fn no_text_is_syntax() {
        for (text, words) in [
            ("content:secret", r#""content" OR "content"* OR "secret" OR "secret"*"#),
            ("a AND NOT b", r#""a" OR "and" OR "and"* OR "not" OR "not"* OR "b""#),
            ("\"x\" NEAR(y", r#""x" OR "near" OR "near"* OR "y""#),
            ("x\0y*", r#""x" OR "y""#),
        ] {
            assert_eq!(expression(text).unwrap(), words, "{text:?}");
        }
    }

    #[test]
    fn what_has_no_words_is_refused() {
        for text in ["", " ", "\0", "!?*\"()", "\u{301}", "—"] {
            assert_eq!(
                expression(text).unwrap_err().public(),
                "the query has no words",
                "{text:?}"
            );
        }
    }

    #[test]
    fn inflections_begin_alike() {
        for (word, begins) in [
            ("working", "work"),
            ("worked", "work"),
            ("running", "run"),
            ("recipes", "recip"),
            ("memories", "memor"),
            ("boxes", "box"),
            ("dogs", "dog"),
            ("glass", "glass"),
            ("this", "this"),
            ("bus", "bus"),
            ("king", "king"),
            ("red", "red"),
            ("müßig", "müßig"),
            ("straßes", "straßes"),
            ("2024s", "2024"),
        ] {
            assert_eq!(stem(word), begins);
        }
    }

    #[test]
    fn long_queries_are_cut() {
        let many: String = (0..200).map(|i| ["w", &i.to_string(), " "].concat()).collect();
        assert_eq!(words(&many).len(), MAX_WORDS);
        assert!(expression(&"ä".repeat(100_000)).unwrap().len() < 3 * MAX_TEXT_BYTES);
    }

    proptest! {
        #[test]
        fn quotes_are_ours_alone(text in any::<String>()) {
            if let Ok(expression) = expression(&text) {
                for part in expression.split(" OR ") {
                    let word = part.trim_end_matches('*');
                    prop_assert!(word.len() > 2 && word.starts_with('"') && word.ends_with('"'));
                    prop_assert!(!word[1..word.len() - 1].contains(['"', '\0']));
                }
            }
        }
    }
}
