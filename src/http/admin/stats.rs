//! `/admin/stats`: counts, rates, latencies, sizes.
//!
//! `since` says from when the counts of this process run; the totals of sessions survive a
//! restart and carry their own `counted_since`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Body, response::Response};
use http::Request;
use jiff::Timestamp;
use serde::Serialize;

use super::exchange::ok;
use crate::{
    audit::recorder,
    auth::token::source::IssuerStatus,
    config::posture::Report,
    db::disk::Disk,
    domain::key::KeyId,
    http::{error::Refusal, state::State, tls::TlsStatus},
    policy,
    registry::{
        keyring::{Attention, Key},
        ledger::Totals,
    },
    store::pool::{DiskUse, PoolStats},
    telemetry::stats::Snapshot,
};

#[derive(Serialize)]
struct Stats {
    version: &'static str,
    uptime_seconds: u64,
    ready: bool,
    #[serde(flatten)]
    counts: Snapshot,
    argon2_runs: u64,
    issuers: Vec<IssuerStatus>,
    sessions: Sessions,
    tenants: Tenants,
    stores: PoolStats,
    disk: DiskUse,
    disk_state: Disk,
    keys: usize,
    keys_ending_soon: Named,
    keys_unused: Named,
    tls: Option<TlsStatus>,
    policy: policy::Status,
    audit: recorder::Status,
    posture: Report,
}

/// Keys that are worth a look: within 14 days of their end, or without a use for 90.
#[derive(Serialize)]
struct Named {
    count: usize,
    ids: Vec<KeyId>,
}

impl Named {
    fn with(keys: &[Arc<Key>], now: Timestamp, attention: Attention) -> Self {
        let named = keys.iter().filter(|key| key.attention(now).contains(&attention));
        let ids: Vec<_> = named.map(|key| key.record.id.clone()).collect();
        Self { count: ids.len(), ids }
    }
}

#[derive(Serialize)]
struct Sessions {
    active: usize,
    open_streams: u64,
    by_protocol: BTreeMap<String, usize>,
    totals: Totals,
}

#[derive(Serialize)]
struct Tenants {
    known: usize,
    busy: usize,
}

/// `GET /admin/stats`
pub(in crate::http) async fn show(
    state: Arc<State>,
    _: Request<Body>,
) -> Result<Response, Refusal> {
    let disk = state.stores.sizes().await?;
    let counts = state.stats.snapshot();
    let now = state.clock.now();
    let uptime = now.duration_since(counts.since);
    let registry = &state.registry;
    let keys = registry.keys.list();
    Ok(ok(&Stats {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: u64::try_from(uptime.as_secs()).unwrap_or(0),
        ready: state.readiness.is_ready(),
        counts,
        argon2_runs: state.authenticator.argon2_runs(),
        issuers: state.authenticator.issuers(),
        sessions: sessions(&state),
        tenants: Tenants {
            known: registry.tenants.list().len(),
            busy: state.places.busy_tenants(),
        },
        stores: state.stores.stats(),
        disk,
        disk_state: state.readiness.disk_state(),
        keys: keys.len(),
        keys_ending_soon: Named::with(&keys, now, Attention::EndsSoon),
        keys_unused: Named::with(&keys, now, Attention::Unused),
        tls: state.certificates.as_ref().map(|certificates| certificates.status()),
        policy: state.engine.status(),
        audit: state.audit.status(),
        posture: state.posture.report().trouble(),
    }))
}

fn sessions(state: &State) -> Sessions {
    let live = state.registry.ledger.list();
    let mut by_protocol = BTreeMap::new();
    for session in &live {
        *by_protocol.entry(session.protocol.clone()).or_insert(0) += 1;
    }
    Sessions {
        active: live.len(),
        open_streams: live.iter().map(|session| session.open_streams).sum(),
        by_protocol,
        totals: state.registry.ledger.totals(),
    }
}
