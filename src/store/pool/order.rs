//! Open tenants in the order of their last use, kept only as well as somebody asks.
//!
//! A call that uses a tenant notes the time in its stay and does not touch the order: that is
//! the hot path. An entry here is therefore never later than the true last use. Whoever comes to
//! the front is compared with the truth and, when it was used since, goes back to where it
//! belongs; the first one whose entry is true is the one unused for the longest.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use crate::domain::tenant::TenantId;

/// What a stay says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is over: the tenant is closed, or opened again since.
    Over,
    /// It is used at this moment.
    Now,
    /// It was used last at this time.
    At(Duration),
}

/// A heap of last uses, the earliest on top.
#[derive(Debug, Default)]
pub(super) struct Order(BinaryHeap<Reverse<(Duration, u64, TenantId)>>);

impl Order {
    /// Adds a stay that was last used at `used`.
    pub(super) fn insert(&mut self, used: Duration, generation: u64, tenant: TenantId) {
        self.0.push(Reverse((used, generation, tenant)));
    }

    /// Takes out the tenant that is unused for the longest, if that is since `latest` or before.
    /// Who is in use is put in as used `now`.
    pub(super) fn first_until(
        &mut self,
        latest: Duration,
        now: Duration,
        ask: impl Fn(&TenantId, u64) -> Use,
    ) -> Option<TenantId> {
        let mut in_use = Vec::new();
        let mut first = None;
        while self.0.peek().is_some_and(|Reverse((used, ..))| *used <= latest) {
            let Some(Reverse((used, generation, tenant))) = self.0.pop() else { break };
            match ask(&tenant, generation) {
                Use::Over => {}
                Use::Now => in_use.push(Reverse((now, generation, tenant))),
                Use::At(truth) if truth > used => self.insert(truth, generation, tenant),
                Use::At(_) => {
                    first = Some(tenant);
                    break;
                }
            }
        }
        self.0.extend(in_use);
        first
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::OsEntropy;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn uses_that_were_not_told_count() {
        let [a, b, c] = std::array::from_fn(|_| TenantId::random(&OsEntropy));
        let mut order = Order::default();
        for (used, tenant) in [(1, &a), (2, &b), (4, &c)] {
            order.insert(seconds(used), used, tenant.clone());
        }
        let truth = HashMap::from([
            (a.clone(), Use::At(seconds(3))),
            (b.clone(), Use::At(seconds(5))),
            (c.clone(), Use::At(seconds(4))),
        ]);
        let mut next = || order.first_until(Duration::MAX, seconds(9), |id, _| truth[id]);
        assert_eq!([next(), next(), next(), next()], [Some(a), Some(c), Some(b), None]);
    }

    proptest! {
        /// Whatever was used when: the answer is the one that a look at everybody would give.
        #[test]
        fn the_first_is_the_longest_unused(
            stays in proptest::collection::vec((0_u64..9, 0_u64..9, 0_u8..8), 0..12),
            latest in 0_u64..20,
        ) {
            let mut order = Order::default();
            let mut truth = HashMap::new();
            for (generation, (entered, later, fate)) in (0..).zip(stays) {
                let id = TenantId::random(&OsEntropy);
                order.insert(seconds(entered), generation, id.clone());
                truth.insert(id, match fate {
                    0 => Use::Over,
                    1 => Use::Now,
                    2 | 3 => Use::At(seconds(entered)),
                    _ => Use::At(seconds(entered + later)),
                });
            }
            for _ in 0..3 {
                let due = |u: &Use| match u {
                    Use::At(at) if *at <= seconds(latest) => Some(*at),
                    _ => None,
                };
                let longest = truth.values().filter_map(due).min();
                let found = order.first_until(seconds(latest), seconds(30), |id, _| truth[id]);
                prop_assert_eq!(found.as_ref().and_then(|id| due(&truth[id])), longest);
                if let Some(id) = found {
                    truth.insert(id, Use::Over);
                }
            }
        }
    }
}
