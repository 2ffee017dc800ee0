//! The files of the checkout, and Rust text without its comments and inline tests.

use std::{fs, path::Path};

/// What holds no source of ours (`.git` is a file in a linked worktree).
const SKIPPED: [&str; 4] = ["target", ".git", "node_modules", "memgate-data"];

/// Files by their path from the project's root, with `/` between the parts.
pub(crate) struct Tree(Vec<(String, Vec<u8>)>);

impl Tree {
    /// Every file of the checkout.
    pub(crate) fn checkout() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        walk(root, root, &mut files);
        files.sort();
        Self(files)
    }

    /// A made-up tree, to feed a rule with.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(p, t)| ((*p).to_owned(), t.as_bytes().to_vec())).collect())
    }

    /// Files that are text, below a directory (`""` for all), with one of these endings (none
    /// for all).
    pub(crate) fn texts<'t>(
        &'t self,
        below: &'t str,
        endings: &'t [&'t str],
    ) -> impl Iterator<Item = (&'t str, &'t str)> {
        self.0.iter().filter_map(move |(path, bytes)| {
            let wanted = path.starts_with(below)
                && (endings.is_empty() || endings.iter().any(|e| path.ends_with(e)));
            wanted.then(|| std::str::from_utf8(bytes).ok()).flatten().map(|t| (path.as_str(), t))
        })
    }

    /// The text of one file; empty when there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        self.texts(path, &[])
            .find(|(p, _)| *p == path)
            .map(|(_, t)| t.to_owned())
            .unwrap_or_default()
    }
}

fn walk(root: &Path, directory: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().unwrap();
        if SKIPPED.iter().any(|s| name == **s) {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, files);
        } else if kind.is_file() {
            let parts = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push((parts, fs::read(&path).unwrap()));
        }
    }
}

/// Rust text with comments blanked, line breaks kept. Texts in quotes stay.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |i| i + 2);
            out.extend(rest[..end].chars().filter(|c| *c == '\n'));
            end
        } else {
            let end = literal(rest).unwrap_or(c.len_utf8());
            out.push_str(&rest[..end]);
            end
        };
        rest = &rest[taken..];
    }
    out
}

/// Rust text without comments and without items that only tests see.
pub(crate) fn shipped(text: &str) -> String {
    let mut code = without_comments(text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let end = item_end(&code[start..]).map_or(code.len(), |i| start + i);
        let lines: String = code[start..end].chars().filter(|c| *c == '\n').collect();
        code.replace_range(start..end, &lines);
    }
    code
}

/// Rust text with what stands in quotes taken out, line breaks kept.
pub(crate) fn without_literals(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let length = literal(rest);
        match length {
            Some(end) => out.extend(rest[..end].chars().filter(|c| *c == '\n')),
            None => out.push(c),
        }
        rest = &rest[length.unwrap_or(c.len_utf8())..];
    }
    out
}

/// Where the item that starts here ends: after its `;` or its closing brace.
fn item_end(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = literal(&text[at..]) {
            at += length;
            continue;
        }
        at += c.len_utf8();
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return Some(at),
            '}' => depth -= 1,
            ';' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// The length of the text or character literal at the start, if there is one.
pub(crate) fn literal(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if let Some(hashes) = text.strip_prefix('r').map(|r| r.len() - r.trim_start_matches('#').len())
        && bytes.get(1 + hashes) == Some(&b'"')
    {
        let end = format!("\"{}", "#".repeat(hashes));
        let body = hashes + 2;
        return Some(text[body..].find(&end).map_or(text.len(), |i| body + i + end.len()));
    }
    match bytes.first()? {
        b'"' => {
            let mut at = 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            Some((at + 1).min(bytes.len()))
        }
        // A character, not a lifetime.
        b'\'' if bytes.get(1) == Some(&b'\\') => text[3..].find('\'').map(|i| i + 4),
        b'\'' => {
            let c = text[1..].chars().next()?;
            (text[1 + c.len_utf8()..].starts_with('\'')).then(|| c.len_utf8() + 2)
        }
        _ => None,
    }
}

#[test]
fn comments_and_inline_tests_are_cut() {
    let text = "//! doc crate::a\nlet a = \"// kept\"; /* b\nc */ let q = '\"'; // d\n\
                #[cfg(test)]\nmod tests { fn f() { let s = \"}\"; } }\nfn last() {}\n";
    let code = shipped(text);
    assert!(code.contains("// kept") && code.contains("fn last"));
    assert!(!code.contains("doc") && !code.contains("mod tests") && !code.contains(" d\n"));
    assert_eq!(code.lines().count(), text.lines().count(), "line numbers must stay");
}
