//! Who is in which state, and since when.
//!
//! Nothing here waits, locks or touches a file; every change is a few look-ups, whatever the
//! number of tenants.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    PoolStats,
    order::{Order, Use},
};
use crate::{
    domain::tenant::TenantId,
    store::sqlite::{Check, SqliteStore},
};

/// The states of all tenants that are not simply closed.
#[derive(Debug, Default)]
pub(super) struct Table {
    stays: HashMap<TenantId, Stay>,
    /// Open tenants, the longest unused first.
    order: Order,
    /// What is closing, by generation, so that the first comes first.
    closing: BTreeMap<u64, CancellationToken>,
    /// Stays that hold a place.
    held: usize,
    /// How closely a tenant's file is looked at next time; at first, its structure.
    checks: HashMap<TenantId, Check>,
    generation: u64,
    /// Nothing is opened any more.
    pub(super) draining: bool,
}

/// One tenant's stay in the table.
#[derive(Debug)]
pub(super) struct Stay {
    generation: u64,
    pub(super) state: State,
}

/// What a tenant is doing; the table of states stands in [`super`].
#[derive(Debug)]
pub(super) enum State {
    Opening { done: CancellationToken },
    Open { store: Arc<SqliteStore>, last_used: Duration },
    Closing { done: CancellationToken },
    Refused { until: Duration, why: Arc<str> },
}

impl State {
    fn holds_a_place(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

impl Table {
    /// A tenant's stay.
    pub(super) fn stay(&mut self, tenant: &TenantId) -> Option<&mut State> {
        self.stays.get_mut(tenant).map(|stay| &mut stay.state)
    }

    /// Everybody in the table.
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        self.stays.keys().cloned().collect()
    }

    /// Places that are taken.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// How many are closing, and what the first of them signals when it is done.
    pub(super) fn closing(&self) -> (usize, Option<CancellationToken>) {
        (self.closing.len(), self.closing.first_key_value().map(|(_, done)| done.clone()))
    }

    /// How closely the tenant's file is to be looked at.
    pub(super) fn check(&self, tenant: &TenantId) -> Check {
        self.checks.get(tenant).copied().unwrap_or(Check::Structure)
    }

    /// The next look at the tenant's file is to be a closer one.
    pub(super) fn look_closer(&mut self, tenant: &TenantId) {
        self.checks.insert(tenant.clone(), Check::Everything);
    }

    /// A new stay, and its generation.
    pub(super) fn enter(&mut self, tenant: &TenantId, state: State) -> u64 {
        self.generation += 1;
        self.put(tenant, self.generation, state);
        self.generation
    }

    /// Changes the stay with this generation, or ends it; does nothing to any other.
    pub(super) fn replace(&mut self, tenant: &TenantId, generation: u64, state: Option<State>) {
        if self.stays.get(tenant).is_none_or(|stay| stay.generation != generation) {
            return;
        }
        match state {
            Some(state) => self.put(tenant, generation, state),
            None => self.take(tenant),
        }
    }

    /// Forgets refusals that are over.
    pub(super) fn forget_refusals(&mut self, now: Duration) {
        self.stays.retain(|_, stay| match &stay.state {
            State::Refused { until, .. } => *until > now,
            _ => true,
        });
    }

    /// The open tenant that nobody has used for the longest time, if that is since `latest` or
    /// earlier. Whoever asks closes it.
    pub(super) fn least_used(&mut self, latest: Duration, now: Duration) -> Option<TenantId> {
        let stays = &self.stays;
        self.order.first_until(latest, now, |tenant, generation| {
            match stays.get(tenant).filter(|stay| stay.generation == generation).map(|s| &s.state) {
                Some(State::Open { store, .. }) if Arc::strong_count(store) > 1 => Use::Now,
                Some(State::Open { last_used, .. }) => Use::At(*last_used),
                _ => Use::Over,
            }
        })
    }

    /// Counts, with the pool's number of places.
    pub(super) fn stats(&self, places: usize) -> PoolStats {
        let mut stats = PoolStats { places, open: self.held, ..PoolStats::default() };
        for stay in self.stays.values() {
            match &stay.state {
                State::Refused { .. } => stats.refused += 1,
                State::Open { store, .. } if Arc::strong_count(store) > 1 => stats.in_use += 1,
                _ => {}
            }
        }
        stats
    }

    fn put(&mut self, tenant: &TenantId, generation: u64, state: State) {
        self.take(tenant);
        self.held += usize::from(state.holds_a_place());
        match &state {
            State::Open { last_used, .. } => {
                self.order.insert(*last_used, generation, tenant.clone());
                self.checks.insert(tenant.clone(), Check::Marks);
            }
            State::Closing { done } => drop(self.closing.insert(generation, done.clone())),
            State::Opening { .. } | State::Refused { .. } => {}
        }
        self.stays.insert(tenant.clone(), Stay { generation, state });
    }

    fn take(&mut self, tenant: &TenantId) {
        if let Some(stay) = self.stays.remove(tenant) {
            self.held -= usize::from(stay.state.holds_a_place());
            self.closing.remove(&stay.generation);
        }
    }
}

#[cfg(test)]
impl Table {
    /// Stays that were ever entered.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }
}
