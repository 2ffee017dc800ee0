//! Keys that somebody should look at: those that end soon, and those that nobody uses.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Key;

/// A key that ends within this should be followed by another.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 14);
/// A key that nobody used for so long is more of a risk than of a use.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What is worth a look at a key that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// It ends within 14 days.
    EndsSoon,
    /// It was not used for 90 days.
    Unused,
}

impl Key {
    /// What is worth a look. A key that is over, or comes from the environment, is not: nothing
    /// can be done about the one, and the other is looked after elsewhere.
    #[must_use]
    pub fn attention(&self, now: Timestamp) -> Vec<Attention> {
        let record = &self.record;
        let is_over = record.expires_at.is_some_and(|end| end <= now);
        if self.gone.is_cancelled() || is_over || self.proofs().is_empty() {
            return Vec::new();
        }
        let ends = record.expires_at.is_some_and(|end| end.duration_since(now) <= SOON);
        let last = self.last_use().map_or(record.created_at, |last| last.at);
        let unused = now.duration_since(last) >= LONG;
        let found = [(ends, Attention::EndsSoon), (unused, Attention::Unused)];
        found.into_iter().filter_map(|(is, attention)| is.then_some(attention)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::registry::{
        keyring::NewKey,
        testing::{Deployment, agent, now},
    };

    #[test]
    fn a_key_that_ends_soon_or_is_not_used_is_named() {
        let day = Duration::from_hours(24);
        let deployment = Deployment::new();
        let registry = deployment.start();
        let expires_at = Some(now(&deployment) + 100 * day);
        let new = NewKey { expires_at, ..agent(&registry, "acme") };
        let (ending, _) = registry.keys.create(new).unwrap();
        let (used, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
        let attention = |key: &Key| key.attention(now(&deployment));
        for (days, of_ending, of_used) in [
            (0, &[][..], &[][..]),
            (85, &[], &[]),
            (1, &[Attention::EndsSoon], &[]),
            (4, &[Attention::EndsSoon, Attention::Unused], &[]),
            (10, &[], &[]),
            (76, &[], &[Attention::Unused]),
        ] {
            deployment.clock.advance(days * day);
            assert_eq!(attention(&ending), of_ending, "after {days} more");
            if days == 85 {
                used.mark_used(now(&deployment), "127.0.0.1".parse().unwrap());
            }
            assert_eq!(attention(&used), of_used, "after {days} more");
        }
        registry.keys.revoke(&used.record.id).unwrap();
        assert_eq!(attention(&used), []);
    }
}
