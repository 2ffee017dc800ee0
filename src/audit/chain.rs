//! How one record hangs on the one before it.
//!
//! A line of the log is a JSON object whose last member is its hash: SHA-256 over the hash of
//! the line before and every byte of this line up to that member. So whoever changes, removes or
//! moves a line changes every hash from there on.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::digest::hex;

/// What stands between a line's body and its hash.
const MEMBER: &str = ",\"hash\":\"";
/// What ends a line.
const END: &str = "\"}";

/// The hash of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line of all hangs on.
    pub(in crate::audit) const GENESIS: Self = Self([0; 32]);

    /// Of a line that begins with `body` and follows a line whose hash is `self`.
    #[must_use]
    pub(in crate::audit) fn then(&self, body: &str) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(body).finalize().into())
    }

    /// Reads 64 hexadecimal digits, in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || digits.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        // `from_str_radix` takes a sign as well; writing it back shows that there was none.
        let hash = Self(bytes);
        (hash.to_string() == text).then_some(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Appends the line of `body`, an object without its closing brace, to `text`, and returns its
/// hash.
pub(in crate::audit) fn link(text: &mut String, before: &Hash, body: &str) -> Hash {
    use std::fmt::Write as _;
    let hash = before.then(body);
    text.push_str(body);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{MEMBER}{hash}{END}");
    hash
}

/// The body of a line (without its end of line) and the hash that it claims.
pub(in crate::audit) fn unlink(line: &str) -> Option<(&str, Hash)> {
    let (body, hash) = line.strip_suffix(END)?.rsplit_once(MEMBER)?;
    Some((body, Hash::parse(hash)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_back_what_it_was_made_of() {
        let mut text = String::new();
        let first = link(&mut text, &Hash::GENESIS, r#"{"seq":1"#);
        let second = link(&mut text, &first, r#"{"seq":2"#);
        let lines: Vec<_> = text.lines().map(|line| unlink(line).unwrap()).collect();
        assert_eq!(lines, [(r#"{"seq":1"#, first), (r#"{"seq":2"#, second)]);
        assert_ne!(second, Hash::GENESIS.then(r#"{"seq":2"#), "it hangs on the line before");
        assert_eq!(Hash::parse(&first.to_string()), Some(first));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let good = "0a".repeat(32);
        assert!(Hash::parse(&good).is_some());
        for bad in ["0A".repeat(32), "+a".repeat(32), "0a".repeat(31), "é".repeat(32)] {
            assert_eq!(Hash::parse(&bad), None, "{bad}");
        }
    }
}
