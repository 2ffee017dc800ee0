//! What a token was granted: reading, writing, deleting.
//!
//! Scopes only ever take away. Whoever holds one still needs a policy that permits the action;
//! whoever lacks it is refused before any policy is asked. Keys have all of them: what a key may
//! do stands in its record.

use super::action::{Access, Action};

/// One thing that a token can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Look.
    Read,
    /// Store and change.
    Write,
    /// Delete.
    Delete,
}

impl Scope {
    /// Every scope, the least dangerous first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    /// The scope that an action takes; none for using `/mcp` at all, which shows no memory.
    #[must_use]
    pub fn of(action: Action) -> Option<Self> {
        match (action, action.access()) {
            (Action::Connect, _) => None,
            (Action::MemoryDelete, _) => Some(Self::Delete),
            (_, Access::Read) => Some(Self::Read),
            (_, Access::Write) => Some(Self::Write),
        }
    }

    /// The word for it, in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

/// The scopes that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b111);

    /// These and one more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// The scope that is missing for an action.
    #[must_use]
    pub fn lacks(self, action: Action) -> Option<Scope> {
        Scope::of(action).filter(|scope| !self.has(*scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_scope_allows_what_only_reads_and_nothing_else() {
        let reads = Scopes::NONE.with(Scope::Read);
        for action in Action::ALL {
            assert_eq!(reads.lacks(*action).is_none(), action.access() == Access::Read, "{action}");
            assert_eq!(Scopes::ALL.lacks(*action), None);
            assert_eq!(Scopes::NONE.lacks(*action).is_none(), *action == Action::Connect);
        }
    }

    #[test]
    fn one_scope_is_no_other() {
        for scope in Scope::ALL {
            let one = Scopes::NONE.with(scope);
            assert!(Scope::ALL.iter().all(|other| one.has(*other) == (*other == scope)));
        }
        let writes = Scopes::NONE.with(Scope::Write);
        assert_eq!(writes.lacks(Action::MemoryDelete), Some(Scope::Delete));
        assert_eq!(writes.lacks(Action::MemoryRead), Some(Scope::Read), "writing is not reading");
    }
}
