//! The end of one stay in the table: whoever works on a tenant holds one, and drops it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    table::{State, Table},
};
use crate::{
    db::sqlite::{Fault, fault},
    domain::{Kind, Result, tenant::TenantId},
    store::sqlite::SqliteStore,
};

/// How long a damaged or missing database is refused before it is looked at again, so that a
/// restored one comes back without a restart.
pub(super) const QUARANTINE: Duration = Duration::from_secs(30);
/// The same after any other failure, which may be gone in a moment.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Puts a new stay into the table, and gives the task that will end it the means to.
    pub(super) fn enter(
        self: &Arc<Self>,
        table: &mut Table,
        tenant: &TenantId,
        state: State,
        done: &CancellationToken,
    ) -> End {
        let generation = table.enter(tenant, state);
        let (shared, tenant, done) = (Arc::clone(self), tenant.clone(), done.clone());
        End { shared, tenant, generation, done }
    }
}

/// The right to end one stay. Dropped unused, by a panic, it refuses the tenant for a moment, so
/// that nobody waits for ever.
#[derive(Debug)]
pub(super) struct End {
    shared: Arc<Shared>,
    tenant: TenantId,
    generation: u64,
    done: CancellationToken,
}

impl End {
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The store is open, or it is not to be opened.
    pub(super) fn opened(self, opened: Result<SqliteStore>) {
        let now = self.shared.now();
        let state = match opened {
            Ok(store) => State::Open { store: Arc::new(store), last_used: now },
            Err(error) => {
                // INVARIANT I11: the fault stays with this tenant; held by
                // `i11_a_damaged_database_stops_its_tenant_only`.
                tracing::error!(tenant = %self.tenant, %error, "a tenant's database is refused");
                let passing = fault(&error) == Some(Fault::Io) || error.kind() != Kind::Unavailable;
                let pause = if passing { PAUSE } else { QUARANTINE };
                State::Refused { until: now.saturating_add(pause), why: error.to_string().into() }
            }
        };
        self.replace(Some(state));
    }

    /// The files are closed.
    pub(super) fn closed(self) {
        self.replace(None);
    }

    fn replace(&self, state: Option<State>) {
        self.shared.table().replace(&self.tenant, self.generation, state);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let until = self.shared.now().saturating_add(PAUSE);
            self.replace(Some(State::Refused { until, why: "its task failed".into() }));
        }
        self.done.cancel();
    }
}
