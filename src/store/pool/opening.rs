//! Opening: from a tenant's id to an open store, by one task for everybody who waits.

use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    table::{State, Table},
};
use crate::{
    domain::{Error, Result, tenant::TenantId},
    store::{
        dir::TenantDir,
        sqlite::{Check, SqliteStore},
    },
};

/// Databases up to this size are read through when a process opens them first. Larger ones
/// would keep their tenant waiting; damage in them is found when a query meets it.
const MAX_CHECKED_BYTES: u64 = 4 << 20;

impl Shared {
    /// Starts opening a closed tenant, in a place that the caller has found.
    pub(super) fn start_opening(
        self: &std::sync::Arc<Self>,
        table: &mut Table,
        tenant: &TenantId,
    ) -> CancellationToken {
        let check = table.check(tenant);
        let done = CancellationToken::new();
        let end = self.enter(table, tenant, State::Opening { done: done.clone() }, &done);
        self.around.tracker.spawn_blocking(move || {
            let opened = end.shared().open_files(end.tenant(), check);
            end.opened(opened);
        });
        done
    }

    fn open_files(&self, tenant: &TenantId, check: Check) -> Result<SqliteStore> {
        let dir = TenantDir::of(&self.paths, tenant);
        dir.settle(|path| SqliteStore::create(path, tenant, &self.around))?;
        let path = dir.database();
        let size = path.symlink_metadata().map_err(Error::unavailable)?.len();
        let check = match check {
            Check::Structure if size > MAX_CHECKED_BYTES => Check::Marks,
            check => check,
        };
        SqliteStore::open(&path, tenant, check, &self.around)
    }
}
