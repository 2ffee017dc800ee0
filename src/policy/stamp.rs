//! Whether a policy directory has changed, without reading its files.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// What the file system says of the files that a set is made of. Two that are equal mean the same
/// contents: a file that is replaced has another inode, and the time of its last change of state
/// (which nobody can set) moves with every write. Links are followed, so the swapped links of a
/// mounted volume are a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp(Vec<(String, Option<State>)>);

/// Inode, size, seconds and nanoseconds of the last change.
type State = (u64, u64, i64, i64);

impl Stamp {
    /// The stamp of this directory; a directory or file that cannot be looked at has one, too.
    pub(super) fn of(directory: &Path) -> Self {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = path.extension().and_then(|extension| extension.to_str());
            if matches!(kind, Some("cedar" | "cedarschema")) {
                let state = fs::metadata(&path).ok();
                let state = state.map(|m| (m.ino(), m.size(), m.ctime(), m.ctime_nsec()));
                files.push((path.display().to_string(), state));
            }
        }
        files.sort();
        Self(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_policy_is_seen_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let stamp = || Stamp::of(directory.path());
        let empty = stamp();
        fs::write(path("a.cedar"), "one").unwrap();
        let first = stamp();
        assert_ne!(empty, first);
        fs::write(path("notes.txt"), "x").unwrap();
        assert_eq!(first, stamp());
        fs::write(path("b.tmp"), "two").unwrap();
        fs::rename(path("b.tmp"), path("a.cedar")).unwrap();
        assert_ne!(first, stamp(), "a file moved over it");
        let second = stamp();
        fs::remove_file(path("a.cedar")).unwrap();
        assert_ne!(second, stamp());
        assert_eq!(empty, stamp());
        assert_eq!(Stamp::of(&path("nowhere")), empty);
    }
}
