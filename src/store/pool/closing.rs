//! Closing: who is idle, who makes room, and the task that empties a log and lets go.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Shared, overloaded,
    table::{State, Table},
};
use crate::domain::{Result, tenant::TenantId};

/// Closings that make room at the same time.
const CLOSED_AT_ONCE: usize = 8;
/// Closings that one sweep starts.
const CLOSED_PER_SWEEP: usize = 32;

impl Shared {
    /// Starts closing some of those that were idle for long.
    pub(super) fn close_idle(self: &Arc<Self>) {
        let now = self.now();
        let mut table = self.table();
        table.forget_refusals(now);
        let Some(latest) = now.checked_sub(self.around.settings.tenant_idle) else { return };
        for _ in 0..CLOSED_PER_SWEEP {
            let Some(tenant) = table.least_used(latest, now) else { return };
            drop(self.start_closing(&mut table, &tenant));
        }
    }

    /// Starts closing the tenant that was idle longest, or finds one that is closing already.
    /// Newcomers do not queue for one closing: each waits for one of its own, up to a bound.
    pub(super) fn make_room(self: &Arc<Self>, table: &mut Table) -> Result<CancellationToken> {
        let (closing, first) = table.closing();
        let idle = if closing < CLOSED_AT_ONCE {
            table.least_used(Duration::MAX, self.now())
        } else {
            None
        };
        idle.and_then(|tenant| self.start_closing(table, &tenant))
            .or(first)
            .ok_or_else(|| overloaded("too many tenants are in use; retry in 1 s"))
    }

    /// Starts closing everybody, and says what to wait for.
    pub(super) fn close_everybody(self: &Arc<Self>) -> Vec<CancellationToken> {
        let mut table = self.table();
        table.draining = true;
        let tenants = table.tenants();
        tenants.iter().filter_map(|tenant| self.start_closing(&mut table, tenant)).collect()
    }

    /// Starts closing an open tenant, or finds that it is closing; `None` when it is neither.
    pub(super) fn start_closing(
        self: &Arc<Self>,
        table: &mut Table,
        tenant: &TenantId,
    ) -> Option<CancellationToken> {
        let store = match table.stay(tenant)? {
            State::Open { store, .. } => Arc::clone(store),
            State::Closing { done } | State::Opening { done } => return Some(done.clone()),
            State::Refused { .. } => return None,
        };
        if store.is_suspect() {
            table.look_closer(tenant);
        }
        let done = CancellationToken::new();
        let end = self.enter(table, tenant, State::Closing { done: done.clone() }, &done);
        self.around.tracker.spawn_blocking(move || {
            if let Err(error) = store.close() {
                tracing::warn!(tenant = %end.tenant(), %error, "a database did not close cleanly");
            }
            end.closed();
        });
        Some(done)
    }
}
