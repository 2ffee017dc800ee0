//! Tool packs: the families of tools a key may see.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// A family of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pack {
    /// The tools Memento's users know: `store_memory`, `retrieve_memories`, …
    Memento,
    /// The tools `MemoryOS` users know: `add_memory`, `retrieve_memory`, `get_user_profile`.
    Memoryos,
    /// `health_check`, `echo`, `get_time`: to try a connection.
    Demo,
}

impl Pack {
    /// Every pack, in the order in which tools are listed.
    pub const ALL: [Self; 3] = [Self::Memento, Self::Memoryos, Self::Demo];

    /// The name in settings and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memento => "memento",
            Self::Memoryos => "memoryos",
            Self::Demo => "demo",
        }
    }

    /// Reads a pack's name.
    ///
    /// # Errors
    /// Lists the names there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|p| p.as_str()).collect();
            Error::bad_input(format!("no tool pack `{text}`; there are: {}", names.join(", ")))
        })
    }
}

impl fmt::Display for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Pack>", from = "Vec<Pack>")]
pub struct Packs {
    bits: u8,
}

impl Packs {
    /// Is `pack` in the set?
    #[must_use]
    pub fn contains(self, pack: Pack) -> bool {
        self.bits & (1 << pack as u8) != 0
    }

    /// The packs in listing order.
    pub fn iter(self) -> impl Iterator<Item = Pack> {
        Pack::ALL.into_iter().filter(move |p| self.contains(*p))
    }
}

/// `memento` and `memoryos`.
impl Default for Packs {
    fn default() -> Self {
        [Pack::Memento, Pack::Memoryos].into_iter().collect()
    }
}

impl FromIterator<Pack> for Packs {
    fn from_iter<I: IntoIterator<Item = Pack>>(packs: I) -> Self {
        Self { bits: packs.into_iter().fold(0, |bits, p| bits | 1 << p as u8) }
    }
}

impl From<Vec<Pack>> for Packs {
    fn from(packs: Vec<Pack>) -> Self {
        packs.into_iter().collect()
    }
}

impl From<Packs> for Vec<Pack> {
    fn from(packs: Packs) -> Self {
        packs.iter().collect()
    }
}
