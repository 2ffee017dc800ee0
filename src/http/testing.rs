//! The whole stack of one listener around a small deployment, without a socket.
//!
//! Everything is the real thing but the MCP endpoint, which answers with what it was told about
//! the caller. Keys are made and presented as users do it.

use std::{net::IpAddr, sync::Arc};

use axum::{body::Body, response::Response};
use futures::{FutureExt, future::BoxFuture};
use http::{Request, header, request::Builder};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::{
    health::Readiness,
    layers::{address_limit::Shield, request_id::RequestIds},
    server::{
        Door,
        peer::{Peer, Surface},
    },
    stack,
    state::State,
};
use crate::{
    audit,
    auth::testing::World,
    config::Settings,
    domain::{bounds::Bounds, clock::Clock, key::Role, random::OsEntropy},
    limits::{places::Places, rates::Rates},
    mcp::endpoint::{Endpoint, Known},
    policy::Engine,
    registry::keyring::NewKey,
    store::pool::TenantStores,
};

/// Answers with the tenant, the address and the request id that the layers found; a body of
/// `panic` makes it panic.
#[derive(Debug)]
struct Echo;

impl Endpoint for Echo {
    fn answer(&self, request: Request<Body>, caller: Known) -> BoxFuture<'_, Response<Body>> {
        async move {
            let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            assert!(body.as_deref().unwrap_or_default() != b"panic", "hunter2");
            let tenant = caller.principal.tenant().unwrap();
            let told = [tenant.label.as_str(), &caller.address.to_string(), &caller.request_id];
            Response::new(Body::from(told.join(" ")))
        }
        .boxed()
    }
}

/// A deployment behind its stack.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) state: Arc<State>,
    pub(crate) door: Door,
    pub(crate) peer: Peer,
}

impl Scene {
    /// With the default settings, on the public listener.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With settings changed by `change`, on the public listener.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let world = World::with(change);
        let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
        let settings = Arc::new(world.settings.clone());
        let limits = &settings.limits;
        let tasks = TaskTracker::new();
        let tenants = Arc::clone(&world.registry.tenants);
        let stores = TenantStores::new(
            &world.data_dir,
            &settings.storage,
            Arc::clone(&clock),
            tasks.clone(),
        );
        let state = State {
            authenticator: Arc::clone(&world.authenticator),
            audit: Arc::new(audit::testing::recorder(&world.data_dir, Arc::clone(&clock))),
            engine: Arc::new(Engine::new(&settings.policy, tenants, Arc::clone(&clock)).unwrap()),
            registry: world.registry.clone(),
            shield: Arc::new(
                Shield::new(limits, Arc::clone(&clock), Arc::clone(&world.stats)).unwrap(),
            ),
            rates: Arc::new(Rates::new(limits, Arc::clone(&clock))),
            places: Arc::new(Places::new(limits)),
            stores: Arc::new(stores),
            endpoint: Arc::new(Echo),
            stats: Arc::clone(&world.stats),
            readiness: Arc::new(Readiness::default()),
            request_ids: Arc::new(RequestIds::new(Arc::new(OsEntropy))),
            certificates: None,
            posture: Arc::default(),
            clock,
            tasks,
            settings,
        };
        let door = Door {
            surface: Surface::Public,
            address: Some("127.0.0.1:3000".parse().unwrap()),
            encrypted: false,
        };
        Self { world, state: Arc::new(state), door, peer: Peer::plain(Peer::LOCAL) }
    }

    /// The same deployment, seen from another listener.
    pub(crate) fn at(mut self, surface: Surface) -> Self {
        self.door.surface = surface;
        self.peer.surface = surface;
        self
    }

    /// The same deployment, called from this address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer.address = address.parse::<IpAddr>().unwrap();
        self
    }

    /// Sends a request through the whole stack.
    pub(crate) async fn send(&self, request: Builder, body: impl Into<Body>) -> Response {
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(Arc::new(self.peer.clone()));
        stack::outer(&self.state, self.door).oneshot(request).await.unwrap()
    }

    /// Sends a request with the headers that every well-behaved client sends.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:3000")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.send(request, body.to_owned()).await
    }

    /// An agent's key of this tenant.
    pub(crate) fn agent(&self, label: &str) -> String {
        let (_, secret) = self.world.key(self.world.agent_key(label));
        secret.expose().to_owned()
    }

    /// An operator's key.
    pub(crate) fn operator(&self) -> String {
        let new = NewKey {
            role: Role::Operator,
            tenant: None,
            name: String::new(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            expires_at: None,
        };
        self.world.key(new).1.expose().to_owned()
    }
}

/// The body as text.
pub(crate) async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The body as JSON.
pub(crate) async fn body(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}
