//! What handlers and layers may reach. The composition root builds it, once.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{
    health::Readiness,
    layers::{address_limit::Shield, request_id::RequestIds},
    tls::Certificates,
};
use crate::{
    audit::Recorder,
    auth::Authenticator,
    config::{Settings, posture::Posture},
    domain::clock::Clock,
    limits::{places::Places, rates::Rates},
    mcp::endpoint::Endpoint,
    policy::Engine,
    registry::Registry,
    store::pool::TenantStores,
    telemetry::stats::Stats,
};

/// Everything that answering a request can need.
#[derive(Debug)]
pub struct State {
    /// What is set.
    pub settings: Arc<Settings>,
    /// Who is calling.
    pub authenticator: Arc<Authenticator>,
    /// May they.
    pub engine: Arc<Engine>,
    /// What was decided.
    pub audit: Arc<Recorder>,
    /// Tenants, keys, sessions.
    pub registry: Registry,
    /// Requests per address.
    pub shield: Arc<Shield>,
    /// Requests per key.
    pub rates: Arc<Rates>,
    /// Requests under way per tenant.
    pub places: Arc<Places>,
    /// The tenants' databases, for their counts only: opening one takes a permit.
    pub stores: Arc<TenantStores>,
    /// The MCP endpoint.
    pub endpoint: Arc<dyn Endpoint>,
    /// Counts.
    pub stats: Arc<Stats>,
    /// Whether traffic is welcome.
    pub readiness: Arc<Readiness>,
    /// Request ids.
    pub request_ids: Arc<RequestIds>,
    /// The certificate in use, when we end TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// How safe all of it is, as it was found last.
    pub posture: Arc<Posture>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where work on the blocking pool is tracked (I12).
    pub tasks: TaskTracker,
}
