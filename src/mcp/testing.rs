//! A gateway over real keys and a real ledger, and the messages that the tests of this room send.

use std::{borrow::Cow, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject,
        ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    direct::{Outcome, PlainCalls},
    dispatch::{self, Dispatch},
    endpoint::{Endpoint as _, Known},
    era,
    gateway::{Gateway, Means},
    handler::MemoryHandlers,
    services::Handlers,
    visit::Visit,
};
use crate::{
    audit,
    auth::{self, Principal},
    config::Settings,
    domain::{random::OsEntropy, tenant::Tenant},
    limits::{
        places::{Place, Places},
        rates::Rates,
    },
    policy::Engine,
    store::pool::TenantStores,
    tools::Catalogue,
};

/// Tools: `who` names the tenant, `panic` does, `hang` never ends, `fail` says that it failed,
/// `wait` waits for [`Scripted::go`] and says so in [`Scripted::done`].
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Scripted {
    /// Whether plain calls are answered without the library.
    direct: bool,
    pub(in crate::mcp) go: Arc<Notify>,
    pub(in crate::mcp) done: Arc<Notify>,
    /// Told when `wait` begins, and when it is over in whatever way.
    pub(in crate::mcp) begun: Arc<Notify>,
    pub(in crate::mcp) over: Arc<Notify>,
}

/// Tells when it is dropped.
struct Over(Arc<Notify>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Handlers for Scripted {
    type Handler = Self;

    fn for_tenant(&self, _: &Tenant) -> Self {
        self.clone()
    }

    fn plain_calls(&self) -> Option<Arc<dyn PlainCalls>> {
        self.direct.then(|| Arc::new(self.clone()) as _)
    }
}

impl PlainCalls for Scripted {
    fn call(
        self: Arc<Self>,
        visit: Arc<Visit>,
        name: String,
        _: JsonObject,
    ) -> BoxFuture<'static, Outcome> {
        Box::pin(async move { Ok(self.act(&visit, &name).await) })
    }
}

impl Scripted {
    async fn act(&self, visit: &Visit, tool: &str) -> CallToolResult {
        match tool {
            "panic" => panic!("as told"),
            "hang" => std::future::pending().await,
            "fail" => visit.fail(),
            "wait" => {
                let _over = Over(Arc::clone(&self.over));
                self.begun.notify_one();
                self.go.notified().await;
                self.done.notify_one();
            }
            _ => {}
        }
        let tenant = visit.known().principal.tenant().unwrap().label.to_string();
        let text = format!("tenant={tenant} client={}", visit.client().name);
        CallToolResult::success(vec![ContentBlock::text(text)])
    }
}

impl ServerHandler for Scripted {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&era::REVISIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Visit::of(&context)?;
        Ok(ListToolsResult::default())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let visit = Visit::of(&context)?;
        Ok(self.act(&visit, &request.name).await.into())
    }
}

/// A gateway, and what stands around it.
pub(in crate::mcp) struct World<H: Handlers = Scripted> {
    pub(in crate::mcp) auth: auth::testing::World,
    pub(in crate::mcp) gateway: Gateway<H>,
    pub(in crate::mcp) means: Means,
}

impl World {
    pub(in crate::mcp) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(in crate::mcp) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::around(change, |_, _| Scripted::default())
    }

    /// With handlers that answer plain calls themselves; `script` is theirs.
    pub(in crate::mcp) fn direct(script: &Scripted) -> Self {
        Self::direct_with(script, |_| {})
    }

    pub(in crate::mcp) fn direct_with(
        script: &Scripted,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let script = Scripted { direct: true, ..script.clone() };
        Self::around(change, |_, _| script)
    }

    /// One whose sessions the library keeps, and one whose sessions the ledger keeps alone.
    pub(in crate::mcp) fn both(change: impl Fn(&mut Settings)) -> [Self; 2] {
        [Self::with(&change), Self::direct_with(&Scripted::default(), &change)]
    }
}

impl World<MemoryHandlers> {
    /// With the product's handlers, the built-in policies and stores on disk.
    pub(in crate::mcp) fn product(change: impl FnOnce(&mut Settings)) -> Self {
        Self::around(change, |auth, settings| {
            MemoryHandlers::new(dispatch(auth, settings), settings, &OsEntropy)
        })
    }
}

/// Dispatch with the built-in policies and stores on disk.
pub(in crate::mcp) fn dispatch(auth: &auth::testing::World, settings: &Settings) -> Dispatch {
    let clock: Arc<dyn crate::domain::clock::Clock> = Arc::clone(&auth.clock) as _;
    let tenants = Arc::clone(&auth.registry.tenants);
    let engine = Engine::new(&settings.policy, Arc::clone(&tenants), Arc::clone(&clock));
    let stores = TenantStores::new(
        &auth.data_dir,
        &settings.storage,
        Arc::clone(&clock),
        TaskTracker::new(),
    );
    let audit = Arc::new(audit::testing::recorder(&auth.data_dir, Arc::clone(&clock)));
    let means = dispatch::Means {
        engine: Arc::new(engine.unwrap()),
        stores: Arc::new(stores),
        rates: Arc::new(Rates::new(&settings.limits, Arc::clone(&clock))),
        tenants,
        stats: Arc::clone(&auth.stats),
        audit,
        clock,
    };
    Dispatch::new(Catalogue::new(), settings, means)
}

impl<H: Handlers> World<H> {
    fn around(
        change: impl FnOnce(&mut Settings),
        handlers: impl FnOnce(&auth::testing::World, &Settings) -> H,
    ) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let auth = auth::testing::World::with(|theirs| *theirs = settings.clone());
        let means = Means {
            ledger: Arc::clone(&auth.registry.ledger),
            places: Arc::new(Places::new(&settings.limits)),
            clock: Arc::clone(&auth.clock) as _,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let gateway = Gateway::new(handlers(&auth, &settings), &settings, means.clone());
        Self { auth, gateway, means }
    }

    pub(in crate::mcp) async fn send(
        &self,
        who: &Principal,
        request: Request<Body>,
    ) -> Response<Body> {
        self.send_in(None, who, request).await
    }

    /// The same, with its tenant's place taken.
    pub(in crate::mcp) async fn send_in(
        &self,
        place: Option<Arc<Place>>,
        who: &Principal,
        request: Request<Body>,
    ) -> Response<Body> {
        let mut request = request;
        // The library asks for one even where it allows all.
        request.headers_mut().insert("host", "127.0.0.1:3000".parse().unwrap());
        let known = Known {
            principal: who.clone(),
            address: Ipv4Addr::LOCALHOST.into(),
            place,
            request_id: "r1".to_owned(),
            slot: audit::Slot::default(),
        };
        self.gateway.answer(request, known).await
    }

    /// Opens a session; its protocol id.
    pub(in crate::mcp) async fn open(&self, who: &Principal) -> String {
        let response = self.send(who, initialize()).await;
        assert_eq!(response.status(), 200);
        let id = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        assert!(text(response).await.contains("2025-11-25"));
        id
    }

    /// How many sessions the library holds for this caller's tenant.
    pub(in crate::mcp) async fn held(&self, who: &Principal) -> usize {
        let service = self.gateway.service(who.tenant().unwrap());
        service.sessions.sessions.read().await.len()
    }

    /// Lets the tasks run until the library holds `count` sessions for this caller's tenant.
    pub(in crate::mcp) async fn settles_at(&self, who: &Principal, count: usize) {
        let settle = async {
            while self.held(who).await != count {
                tokio::task::yield_now().await;
            }
        };
        let held = self.held(who).await;
        tokio::time::timeout(Duration::from_secs(10), settle)
            .await
            .unwrap_or_else(|_| panic!("{held} sessions stay"));
    }
}

pub(in crate::mcp) async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1_000_000).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(in crate::mcp) async fn json(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// A POST with these headers besides the media types.
pub(in crate::mcp) fn post(headers: &[(&str, &str)], body: impl Into<String>) -> Request<Body> {
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.into())).unwrap()
}

/// A message of the 2026-07-28 revision, headers included.
pub(in crate::mcp) fn stateless(method: &str, mut params: Value) -> Request<Body> {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params["name"].as_str().map(str::to_owned);
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    headers.extend(name.as_deref().map(|name| ("mcp-name", name)));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    post(&headers, body.to_string())
}

pub(in crate::mcp) fn list() -> Request<Body> {
    stateless("tools/list", json!({}))
}

pub(in crate::mcp) fn call(tool: &str) -> Request<Body> {
    stateless("tools/call", json!({"name": tool, "arguments": {}}))
}

pub(in crate::mcp) fn initialize() -> Request<Body> {
    post(
        &[],
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"old","version":"1"}}}"#,
    )
}

/// A tool call within a session.
pub(in crate::mcp) fn within(session: &str, tool: &str) -> Request<Body> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}});
    post(&[("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")], body.to_string())
}

pub(in crate::mcp) fn get(session: &str) -> Request<Body> {
    Request::get("/mcp")
        .header("accept", "text/event-stream")
        .header("mcp-session-id", session)
        .body(Body::empty())
        .unwrap()
}

pub(in crate::mcp) fn delete(session: &str) -> Request<Body> {
    Request::delete("/mcp").header("mcp-session-id", session).body(Body::empty()).unwrap()
}
