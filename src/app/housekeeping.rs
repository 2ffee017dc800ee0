//! What has to happen now and then: ends by date and by idleness, batches, reloads.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::Notify, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    disk_watch::DiskWatch,
    posture::{self, Keys, Known},
};
use crate::{
    audit::{Event, Outcome, Record},
    db::disk::Probe,
    domain::{Error, Kind},
    http::state::State,
    policy::Status,
    registry::Registry,
    store::pool::TenantStores,
};

/// Expired keys end their streams within this (I9 promises five seconds).
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two clean-ups of the limiters.
const TICKS_A_MINUTE: u32 = 60;

/// Once a second until `stopped`: keys, sessions, stores, the disk; once a minute: limiters,
/// posture.
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
                look_at_posture(&swept);
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

/// Looks again at what the posture report is made of, once it is known what the settings tell.
pub(super) fn look_at_posture(state: &State) {
    let Some(settled) = state.posture.settled() else { return };
    let now = state.clock.now();
    let known = Known {
        keys: Some(made_keys(&state.registry, now)),
        certificate: state.certificates.as_ref().map(|certificates| Ok(certificates.status())),
        now,
    };
    state.posture.update(posture::examine(&state.settings, settled, &known));
}

fn made_keys(registry: &Registry, now: Timestamp) -> Keys {
    let mut counted = Keys::default();
    for key in registry.keys.list() {
        let record = &key.record;
        let is_over = record.expires_at.is_some_and(|end| end <= now);
        // A revoked key's token is cancelled; a key of the environment has a finding of its own.
        if key.gone.is_cancelled() || is_over || record.id.as_str().starts_with("env-") {
            continue;
        }
        counted.working += 1;
        counted.endless += usize::from(record.expires_at.is_none());
    }
    counted
}

/// Whenever `asked`: certificates, policies and issuers' keys are read
/// again; what is broken is not taken.
pub(super) async fn reload(
    state: Arc<State>,
    asked: Arc<Notify>,
    certificates: Arc<Notify>,
    stopped: CancellationToken,
) {
    while stopped.run_until_cancelled(asked.notified()).await.is_some() {
        certificates.notify_one();
        let reloading = Arc::clone(&state);
        let work = move || {
            reloading.authenticator.reload();
            record(&reloading, Event::Reload, "issuers", Ok(String::new()));
            reloading.engine.reload()
        };
        match state.tasks.spawn_blocking(work).await {
            Ok(Ok(is_new)) => reloaded(&state, is_new),
            Ok(Err(error)) => refused(&state, &error),
            Err(error) => tracing::error!(%error, "reloading policies failed"),
        }
    }
}

/// Every `policy.reload_interval`, until `stopped`: takes a policy directory that has changed.
/// Polled rather than watched, because that holds on every file system and through the swapped
/// links of a mounted volume.
pub(super) async fn watch_policies(state: Arc<State>, stopped: CancellationToken) {
    let mut looks = tokio::time::interval(state.settings.policy.reload_interval);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopped.run_until_cancelled(looks.tick()).await.is_some() {
        let engine = Arc::clone(&state.engine);
        match state.tasks.spawn_blocking(move || engine.look()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => reloaded(&state, true),
            Ok(Err(error)) => refused(&state, &error),
            Err(error) => tracing::error!(%error, "looking at the policies failed"),
        }
    }
}

fn reloaded(state: &State, is_new: bool) {
    let Status { digest, policies, .. } = state.engine.status();
    tracing::info!(%digest, policies, is_new, "policies reloaded");
    record(state, Event::Reload, "policies", Ok(digest));
}

fn refused(state: &State, error: &Error) {
    tracing::error!(%error, "the new policies are not taken");
    record(state, Event::Reload, "policies", Err(error.kind()));
}

/// Records something that the server did by itself; `Ok` with a word more about it.
pub(super) fn record(state: &State, event: Event, what: &'static str, done: Result<String, Kind>) {
    let (outcome, detail) = match done {
        Ok(detail) => (Outcome::Allowed, Some(detail).filter(|detail| !detail.is_empty())),
        Err(kind) => (Outcome::of(kind), None),
    };
    let detail = detail.map(Into::into);
    state.audit.record(&Record { detail, ..Record::new(event, what, outcome) });
}
