//! The files of the log: one after the other, each named after its first record.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// How a segment's name ends.
const SUFFIX: &str = ".jsonl";
/// Digits of a segment's name, so that names sort like numbers.
const DIGITS: usize = 12;
/// No record has a number like this: a million a second for ten thousand years.
const MOST: u64 = 1 << 60;

/// One file of records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) struct Segment {
    /// The number of its first record.
    pub(in crate::audit) first: u64,
    pub(in crate::audit) path: PathBuf,
}

impl Segment {
    /// The segment of `directory` that begins with record `first`.
    pub(in crate::audit) fn named(directory: &Path, first: u64) -> Self {
        Self { first, path: directory.join(format!("{first:0DIGITS$}{SUFFIX}")) }
    }

    /// Every segment of `directory`, in order. What is called otherwise than one would be is nobody's
    /// business here.
    pub(in crate::audit) fn all(directory: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        let entries = match fs::read_dir(directory) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(found),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            let first = digits.and_then(|digits| digits.parse().ok()).filter(|n| *n < MOST);
            let segment = first.map(|first| Self::named(directory, first));
            found.extend(segment.filter(|segment| segment.path.file_name() == Some(&name)));
        }
        found.sort();
        Ok(found)
    }

    /// Its name, for people.
    pub(in crate::audit) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_in_order() {
        let directory = tempfile::tempdir().unwrap();
        for first in [1, 1_000_000_000_000, 2_000] {
            fs::write(Segment::named(directory.path(), first).path, "").unwrap();
        }
        for other in [
            "head",
            "7.jsonl",
            "signing.pub",
            "0000000000007.jsonl",
            "+00000000007.jsonl",
            "18446744073709551615.jsonl",
        ] {
            fs::write(directory.path().join(other), "").unwrap();
        }
        let all = Segment::all(directory.path()).unwrap();
        assert_eq!(all.iter().map(|s| s.first).collect::<Vec<_>>(), [1, 2_000, 1_000_000_000_000]);
        assert_eq!(all[0].name(), "000000000001.jsonl");
        assert!(Segment::all(&directory.path().join("none")).unwrap().is_empty());
    }
}
