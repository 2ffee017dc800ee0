//! What a client says of itself. It is shown to operators and trusted for nothing.

use serde::Serialize;

use super::key::PREFIX;

/// The longest name or version that is kept, in characters.
const MAX_CHARS: usize = 64;
/// More than this is not looked at, in characters.
const MAX_READ: usize = 4096;
/// The length of a key's public id, which follows its prefix.
const ID_CHARS: usize = 12;
/// How the text of a token begins: `{` and a quotation mark or a space, in base64url.
const TOKEN: &str = "ey";
/// Shorter than any token, longer than most words.
const TOKEN_CHARS: usize = 24;
/// What stands for the rest of a secret.
const MASK: char = '…';

/// A client's name and version, as it claims them, made safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Default)]
pub struct ClientInfo {
    /// For example `claude-code`.
    pub name: String,
    /// For example `2.1.232`.
    pub version: String,
}

impl ClientInfo {
    /// Masks what looks like a key of ours or a token, keeps the first 64 characters of each and
    /// replaces control characters, so that a terminal, a log and a page can show them.
    ///
    /// INVARIANT I5: an app that puts its key into the wrong field has not told it to everybody
    /// who may see sessions or records (`i5_a_key_in_the_name_of_a_client_is_masked`).
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: shown(name), version: shown(version) }
    }
}

fn shown(text: &str) -> String {
    let text = masked(text);
    text.chars().take(MAX_CHARS).map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Masked before it is cut: half a secret is one too.
fn masked(text: &str) -> String {
    let end = text.char_indices().nth(MAX_READ).map_or(text.len(), |(at, _)| at);
    let (mut kept, mut rest) = (String::new(), text.get(..end).unwrap_or_default());
    while let Some((before, beginning, length)) = secret(rest) {
        kept.push_str(before);
        kept.push_str(beginning);
        kept.push(MASK);
        rest = rest.get(before.len() + length..).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// The first secret in `text`: what stands before it, how it begins, and its length in bytes.
fn secret(text: &str) -> Option<(&str, &'static str, usize)> {
    text.char_indices().find_map(|(at, _)| {
        let (before, from) = text.split_at_checked(at)?;
        let run = |is: fn(char) -> bool| from.find(|c| !is(c)).unwrap_or(from.len());
        if let Some(id) = from.strip_prefix(PREFIX) {
            let id = id.bytes().take(ID_CHARS).filter(u8::is_ascii_alphanumeric).count();
            return (id == ID_CHARS).then(|| (before, PREFIX, run(in_key)));
        }
        let third = from.strip_prefix(TOKEN)?.chars().next()?;
        let length = run(in_token);
        let is_token = matches!(third, 'A'..='D' | 'I'..='L') && length >= TOKEN_CHARS;
        is_token.then_some((before, TOKEN, length))
    })
}

fn in_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn in_token(c: char) -> bool {
    in_key(c) || c == '.'
}

/// Control characters, the format characters that reorder or hide text (bidirectional overrides,
/// zero-width characters, soft hyphens, tags), and the letters that show as nothing (fillers).
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{key::PresentedKey, random::OsEntropy};

    #[test]
    fn i5_a_key_in_the_name_of_a_client_is_masked() {
        let key = PresentedKey::random(&OsEntropy).reveal();
        let key = key.expose();
        // {"alg":"ES256","typ":"JWT"} and {"sub":"planted"}.
        let token = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl";
        for (said, shown) in [
            (key.to_owned(), "mg_…".to_owned()),
            (format!("app {key}/1 {key}"), "app mg_…/1 mg_…".to_owned()),
            (format!("x{key}"), "xmg_…".to_owned()),
            (format!("{}{key}", "é".repeat(40)), format!("{}mg_…", "é".repeat(40))),
            (token.to_owned(), "ey…".to_owned()),
            (format!("Bearer {token}, {token}"), "Bearer ey…, ey…".to_owned()),
            (token[..60].to_owned(), "ey…".to_owned()),
            (key[..40].to_owned(), "mg_…".to_owned()),
        ] {
            let client = ClientInfo::new(&said, &said);
            assert_eq!((&client.name, &client.version), (&shown, &shown), "{said}");
        }
        // Much of it, and nothing of the end of what is cut.
        let many = ClientInfo::new(&format!("{key} ").repeat(1000), "");
        assert_eq!(many.name.chars().count(), MAX_CHARS);
        assert!(!many.name.contains(&key[3..15]));
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for name in ["claude-code", "img_processing_tool", "keyboard.app", "KeyCloakAdapter", "mg_"]
        {
            assert_eq!(ClientInfo::new(name, "").name, name);
        }
        assert_eq!(ClientInfo::new(&"é".repeat(100), "\u{202e}a").name, "é".repeat(MAX_CHARS));
        assert_eq!(ClientInfo::new("", "\u{202e}a").version, "\u{fffd}a");
    }
}
