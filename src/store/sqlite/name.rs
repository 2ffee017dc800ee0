//! Memory ids: `YYYYMMDD_HHMMSS_<file name>`, in UTC, never the same twice.
//!
//! The file name is reduced to what an id may hold. Two memories of one name in one second get
//! `_2`, `_3`, … before the extension.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::domain::{Error, Result, memory::MemoryId};

/// The longest file name inside an id, in bytes.
const MAX_NAME_BYTES: usize = 100;
/// The longest extension that is kept apart, in bytes, with its dot.
const MAX_EXTENSION_BYTES: usize = 12;
/// What a file name without a usable character becomes.
const NAMELESS: &str = "memory";

/// Makes ids, and remembers the present second's, so that a burst of one name does not count up
/// from 1 each time.
#[derive(Debug, Default)]
pub(super) struct Names {
    second: String,
    used: HashMap<String, u32>,
}

impl Names {
    /// An id for `filename` that `is_taken` does not know.
    ///
    /// # Errors
    /// Those of `is_taken`.
    pub(super) fn fresh(
        &mut self,
        now: Timestamp,
        filename: &str,
        mut is_taken: impl FnMut(&MemoryId) -> rusqlite::Result<bool>,
    ) -> Result<MemoryId> {
        let second = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S").to_string();
        if second != self.second {
            self.used.clear();
            self.second.clone_from(&second);
        }
        let name = sanitised(filename);
        let used = self.used.entry(name.clone()).or_insert(0);
        loop {
            *used = used.checked_add(1).ok_or_else(|| Error::internal("no id is left"))?;
            let (stem, extension) = split_extension(&name);
            let id = match *used {
                1 => format!("{second}_{stem}{extension}"),
                n => format!("{second}_{stem}_{n}{extension}"),
            };
            let id = MemoryId::parse(&id).map_err(Error::internal)?;
            if !is_taken(&id)? {
                return Ok(id);
            }
        }
    }
}

/// `filename` in the alphabet of an id: everything else becomes one `_`.
fn sanitised(filename: &str) -> String {
    let mut name = String::with_capacity(filename.len().min(MAX_NAME_BYTES));
    for c in filename.trim().chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    if !name.contains(|c: char| c.is_ascii_alphanumeric()) {
        return NAMELESS.to_owned();
    }
    let (stem, extension) = split_extension(&name);
    let room = MAX_NAME_BYTES - extension.len();
    [&stem[..stem.len().min(room)], extension].concat()
}

/// The name and its extension, with the dot; no extension when there is none worth keeping.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_BYTES => name.split_at(dot),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn noon() -> Timestamp {
        "2024-07-15T14:30:52.9Z".parse().unwrap()
    }

    #[test]
    fn an_id_tells_when_and_what() {
        let mut names = Names::default();
        for (filename, id) in [
            ("recipe.txt", "20240715_143052_recipe.txt"),
            ("recipe.txt", "20240715_143052_recipe_2.txt"),
            ("recipe.txt", "20240715_143052_recipe_3.txt"),
            ("recipe", "20240715_143052_recipe"),
            ("recipe", "20240715_143052_recipe_2"),
            ("../../etc/passwd", "20240715_143052_.._.._etc_passwd"),
            ("Größe & Maß.md", "20240715_143052_Gr_e_Ma_.md"),
            ("", "20240715_143052_memory"),
            ("日本", "20240715_143052_memory_2"),
        ] {
            assert_eq!(names.fresh(noon(), filename, |_| Ok(false)).unwrap().as_str(), id);
        }
    }

    #[test]
    fn a_taken_id_is_passed_over() {
        let taken: HashSet<&str> =
            ["20240715_143052_a.md", "20240715_143052_a_2.md"].into_iter().collect();
        let id = Names::default().fresh(noon(), "a.md", |id| Ok(taken.contains(id.as_str())));
        assert_eq!(id.unwrap().as_str(), "20240715_143052_a_3.md");
    }

    #[test]
    fn a_new_second_starts_again() {
        let mut names = Names::default();
        names.fresh(noon(), "a", |_| Ok(false)).unwrap();
        let later = noon() + jiff::SignedDuration::from_secs(1);
        assert_eq!(names.fresh(later, "a", |_| Ok(false)).unwrap().as_str(), "20240715_143053_a");
    }

    proptest! {
        #[test]
        fn every_file_name_makes_an_id(filename in any::<String>()) {
            let mut names = Names::default();
            let mut seen = HashSet::new();
            for _ in 0..12 {
                let id = names.fresh(noon(), &filename, |_| Ok(false)).unwrap();
                prop_assert!(id.as_str().len() <= 16 + MAX_NAME_BYTES + 3);
                prop_assert!(seen.insert(id));
            }
        }
    }
}
