//! What a client says of itself. It is shown to operators and trusted for nothing.

use serde::Serialize;

/// The longest name or version that is kept, in characters.
const MAX_CHARS: usize = 64;

/// A client's name and version, as it claims them, made safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Default)]
pub struct ClientInfo {
    /// For example `claude-code`.
    pub name: String,
    /// For example `2.1.232`.
    pub version: String,
}

impl ClientInfo {
    /// Keeps the first 64 characters of each and replaces control characters, so that a
    /// terminal, a log and a page can show them.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: shown(name), version: shown(version) }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_CHARS).map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
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
