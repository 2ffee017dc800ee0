//! Which of a tenant's memories a key sees: all of them, or those with one of its tags.
//!
//! The permit carries a reach to the store, and the store holds to it, so no tool can forget to
//! ask. What is out of reach is not there: it is in no list, no count, no completion, and its id
//! is an unknown one (I4).

use std::{collections::HashSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Error, Result, memory::Tag};

/// The most tags of one key.
pub const MAX_TAGS: usize = 8;

/// Some tags, at least one, no two alike.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<Tag>", try_from = "Vec<Tag>")]
pub struct Tags(Arc<[Tag]>);

impl Tags {
    /// The set of these.
    ///
    /// # Errors
    /// None, more than [`MAX_TAGS`], or two that are the same but for their case.
    pub fn of(tags: Vec<Tag>) -> Result<Self> {
        let rule = match tags.len() {
            0 => "`tags` is empty; name a tag, or leave it out",
            1..=MAX_TAGS => {
                let mut seen = HashSet::new();
                if tags.iter().all(|tag| seen.insert(tag.folded())) {
                    return Ok(Self(tags.into()));
                }
                "`tags` names a tag twice (case does not count); name each once"
            }
            _ => "a key has at most 8 tags",
        };
        Err(Error::bad_input(rule))
    }

    /// The tags, as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    fn contains(&self, tag: &Tag) -> bool {
        let folded = tag.folded();
        self.0.iter().any(|own| own.folded() == folded)
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = String;

    fn try_from(tags: Vec<Tag>) -> Result<Self, String> {
        Self::of(tags).map_err(|e| e.public().to_owned())
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.iter().cloned().collect()
    }
}

/// All memories, or those with one of these tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach(Option<Tags>);

impl From<Option<Tags>> for Reach {
    fn from(tags: Option<Tags>) -> Self {
        Self(tags)
    }
}

impl Reach {
    /// Every memory.
    pub const ALL: Self = Self(None);

    /// The tags that bound it; `None` where nothing does.
    #[must_use]
    pub fn tags(&self) -> Option<&Tags> {
        self.0.as_ref()
    }

    /// Whether a memory with these tags is in reach.
    #[must_use]
    pub fn holds(&self, tags: &[Tag]) -> bool {
        self.0.as_ref().is_none_or(|own| tags.iter().any(|tag| own.contains(tag)))
    }

    /// The tags of a new memory: what is stored from here stays in reach.
    #[must_use]
    pub fn stored(&self, mut tags: Vec<Tag>) -> Vec<Tag> {
        tags.extend(self.0.iter().flat_map(Tags::iter).cloned());
        tags
    }

    /// The tags of a changed memory: those of ours that it `had` stay, whatever the change says,
    /// so it is in the same reach as before.
    #[must_use]
    pub fn kept(&self, had: &[Tag], mut tags: Vec<Tag>) -> Vec<Tag> {
        if let Some(own) = &self.0 {
            tags.extend(had.iter().filter(|tag| own.contains(tag)).cloned());
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(texts: &[&str]) -> Vec<Tag> {
        texts.iter().map(|text| Tag::parse(text).unwrap()).collect()
    }

    fn reach(texts: &[&str]) -> Reach {
        Some(Tags::of(tags(texts)).unwrap()).into()
    }

    #[test]
    fn i3_no_set_of_tags_is_empty_or_says_a_tag_twice() {
        for bad in [&[][..], &["a", "A"], &["1", "2", "3", "4", "5", "6", "7", "8", "9"]] {
            assert!(Tags::of(tags(bad)).is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<Tags>("[]").is_err());
        assert!(serde_json::from_str::<Tags>(r#"["a,b"]"#).is_err());
    }

    #[test]
    fn one_tag_in_common_is_enough_and_case_does_not_count() {
        let ours = reach(&["Work", "home"]);
        for (has, seen) in
            [(&["work"][..], true), (&["x", "HOME"], true), (&["worker"], false), (&[], false)]
        {
            assert_eq!(ours.holds(&tags(has)), seen, "{has:?}");
            assert!(Reach::ALL.holds(&tags(has)));
        }
    }

    #[test]
    fn what_is_written_stays_in_reach() {
        let ours = reach(&["work", "home"]);
        assert_eq!(ours.stored(tags(&["x"])), tags(&["x", "work", "home"]));
        assert_eq!(ours.kept(&tags(&["Work", "y"]), tags(&["z"])), tags(&["z", "Work"]));
        assert_eq!(Reach::ALL.kept(&tags(&["work"]), tags(&["z"])), tags(&["z"]));
    }
}
