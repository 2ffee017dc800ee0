//! What has to happen now and then: ends by date and by idleness, batches, reloads.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::disk_watch::DiskWatch;
use crate::{db::disk::Probe, http::state::State, store::pool::TenantStores};

/// Expired keys end their streams within this (I9 promises five seconds).
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two clean-ups of the limiters.
const TICKS_A_MINUTE: u32 = 60;

/// Once a second until `stopped`: keys, sessions, stores, the disk; once a minute: limiters.
pub(super) async fn tick(
    state: Arc<State>,
    stores: Arc<TenantStores>,
    disk: Probe,
    stopped: CancellationToken,
) {
    let mut watch = DiskWatch::default();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for count in 1_u32.. {
        if stopped.run_until_cancelled(ticks.tick()).await.is_none() {
            return;
        }
        stores.sweep();
        let swept = Arc::clone(&state);
        let look = watch.due(state.stats.store_failures());
        let disk = disk.clone();
        // Batches are written here, so this is work for the blocking pool.
        let work = state.tasks.spawn_blocking(move || {
            if count % TICKS_A_MINUTE == 0 {
                swept.shield.sweep();
                swept.rates.sweep();
            }
            swept.authenticator.tend();
            (look.map(|look| disk.look(look)), swept.registry.sweep())
        });
        let (found, swept) = match work.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "housekeeping failed");
                continue;
            }
        };
        if let Some(disk) = found {
            watch.found(disk);
            state.readiness.disk(disk);
        }
        if let Err(error) = &swept {
            tracing::error!(%error, "the registry cannot be written");
        }
        state.readiness.registry(swept.is_ok());
    }
}

/// Whenever `asked`: certificates, policies and issuers' keys are read again; what is broken is not taken.
pub(super) async fn reload(
    state: Arc<State>,
    asked: Arc<Notify>,
    certificates: Arc<Notify>,
    stopped: CancellationToken,
) {
    while stopped.run_until_cancelled(asked.notified()).await.is_some() {
        certificates.notify_one();
        let reloaded = Arc::clone(&state);
        let work = move || {
            reloaded.authenticator.reload();
            reloaded.engine.reload()
        };
        match state.tasks.spawn_blocking(work).await {
            Ok(Ok(())) => tracing::info!("policies reloaded"),
            Ok(Err(error)) => tracing::error!(%error, "the new policies are not taken"),
            Err(error) => tracing::error!(%error, "reloading policies failed"),
        }
    }
}
