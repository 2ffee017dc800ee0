//! What a key from the settings must look like before it opens anything.
//!
//! memgate's own keys are random by construction. A key that a person writes into a setting may
//! be empty, short, copied from a manual, or impossible to send; each of these is refused at the
//! start, because nobody would notice later.

use crate::domain::secret::Secret;

/// The fewest characters of a key.
pub const MIN_CHARS: usize = 16;

/// The most characters: longer credentials are turned away before they are looked at.
pub const MAX_CHARS: usize = 512;

/// The fewest different characters: sixteen times `a` is no key.
const MIN_DIFFERENT: usize = 6;

/// What manuals and examples write where a key belongs, in lowercase, without separators.
const PLACEHOLDERS: [&str; 16] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "yourapikey",
    "yourkey",
    "yoursecret",
    "yourtoken",
    "apikeyhere",
    "keyhere",
    "secrethere",
    "insertkey",
    "placeholder",
    "examplekey",
    "example",
    "password",
];

/// Takes a key, or says what is wrong with it without repeating it.
///
/// # Errors
/// A sentence without its subject.
pub fn check(text: &str) -> Result<Secret, String> {
    // SECURITY: an empty key is never "no key wanted" (test `i3_a_key_that_is_none_is_refused`).
    if text.is_empty() {
        return Err(format!("has an empty key; {MAKE_ONE}"));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("has a key with a character that no header carries; {MAKE_ONE}"));
    }
    if text.len() < MIN_CHARS {
        return Err(format!("is shorter than {MIN_CHARS} characters; {MAKE_ONE}"));
    }
    if text.len() > MAX_CHARS {
        return Err(format!("is longer than {MAX_CHARS} characters; {MAKE_ONE}"));
    }
    if is_placeholder(text) {
        return Err(format!("is a placeholder from an example; {MAKE_ONE}"));
    }
    Ok(Secret::new(text.to_owned()))
}

const MAKE_ONE: &str = "make one with `openssl rand -base64 32`";

fn is_placeholder(text: &str) -> bool {
    let bare: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let mut different = text.as_bytes().to_vec();
    different.sort_unstable();
    different.dedup();
    different.len() < MIN_DIFFERENT
        || PLACEHOLDERS.iter().any(|p| bare.contains(p))
        || (text.starts_with('<') && text.ends_with('>'))
        || text.starts_with("${")
        || text.starts_with("{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_a_key_that_is_none_is_refused() {
        for (bad, word) in [
            ("", "empty"),
            ("key1", "shorter"),
            ("fifteen-letters", "shorter"),
            ("aaaaaaaaaaaaaaaaaaaa", "placeholder"),
            ("change-me-please-now", "placeholder"),
            ("YOUR_API_KEY_HERE_1234", "placeholder"),
            ("<the-key-of-the-agent>", "placeholder"),
            ("${MCP_API_KEY_FROM_CI}", "placeholder"),
            ("two words make no key", "no header"),
            ("schlüssel-mit-umlaut", "no header"),
            ("line\u{7f}break-in-a-key", "no header"),
            (&"0123456789abcdef".repeat(33), "longer"),
        ] {
            let sentence = check(bad).unwrap_err();
            assert!(sentence.contains(word), "{bad:?}: {sentence}");
            assert!(bad.is_empty() || !sentence.contains(bad), "{sentence}");
        }
    }

    #[test]
    fn a_random_key_is_taken_as_it_is() {
        for good in ["k7Qd93jf8sLw02Xm", "0123456789abcdef0123456789abcdef", "p0Wn/d8+Jq=2Lv7Bx4Z"]
        {
            assert_eq!(check(good).unwrap().expose(), good);
        }
    }
}
