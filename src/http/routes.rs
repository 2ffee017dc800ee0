//! The one table of what exists: method, path, who may, what it means, where it is served.
//!
//! A path that is not in the table is 404 without anybody being asked for a key; inside
//! `/admin` it is 404 for operators and 401 or 403 for everybody else, so that the shape of the
//! administration is not told. A method that is not in the table is 405 with `Allow`.
//! INVARIANT I3: a row that says neither `Anyone` nor whose key it takes cannot be written
//! (test `i3_unknown_route_is_denied`).

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{MethodFilter, any_service, on_service},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Either, ready},
};
use http::{Request, StatusCode};
use tower::service_fn;

use self::Handler::{Later, Now};
use super::{
    MCP_PATH, admin,
    error::{self, Asker, Refusal},
    health,
    layers::{Stage, access_log::Line},
    mcp, resource,
    server::peer::Surface,
    stack,
    state::State,
};
use crate::domain::{action::Action, key::Role};

/// What answers at a route.
#[derive(Debug, Clone, Copy)]
enum Handler {
    /// Answers at once, from memory.
    Now(fn(&State, &Request<Body>) -> Result<Response, Refusal>),
    /// Reads a body, asks another room, or waits for a disk.
    Later(fn(Arc<State>, Request<Body>) -> Awaited),
}

type Awaited = BoxFuture<'static, Result<Response, Refusal>>;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, without a key.
    Anyone,
    /// Keys of this role whom the policy allows this action.
    Key(Role, Action),
}

/// The part of the service that a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Health: on every listener.
    Health,
    /// What clients must know to get a token: on the public listener, when an issuer is
    /// configured.
    Resource,
    /// The MCP endpoint: on the public listener.
    Mcp,
    /// The administration: on its own listener when there is one, else on the public one; and
    /// always on the control socket.
    Admin,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its method, as in the request line.
    pub method: &'static str,
    /// Its path, with `{…}` for a part that varies.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    /// Where it is served.
    pub area: Area,
    handler: Handler,
}

const fn open(path: &'static str, handler: Handler) -> Row {
    Row { method: "GET", path, who: Who::Anyone, area: Area::Health, handler }
}

const fn resource(path: &'static str) -> Row {
    let handler = Now(resource::metadata);
    Row { method: "GET", path, who: Who::Anyone, area: Area::Resource, handler }
}

const fn agent(method: &'static str) -> Row {
    let who = Who::Key(Role::Agent, Action::Connect);
    Row {
        method,
        path: MCP_PATH,
        who,
        area: Area::Mcp,
        handler: Later(|s, r| mcp::answer(s, r).boxed()),
    }
}

const fn operator(
    method: &'static str,
    path: &'static str,
    action: Action,
    handler: Handler,
) -> Row {
    Row { method, path, who: Who::Key(Role::Operator, action), area: Area::Admin, handler }
}

/// Every route there is.
pub const TABLE: &[Row] = &[
    open("/", Now(health::alive)),
    open("/health", Now(health::alive)),
    open("/healthz", Now(health::alive)),
    open("/readyz", Now(health::ready)),
    resource("/.well-known/oauth-protected-resource"),
    resource("/.well-known/oauth-protected-resource/mcp"),
    agent("POST"),
    agent("GET"),
    agent("DELETE"),
    operator("GET", "/admin/sessions", Action::SessionList, Now(admin::sessions::list)),
    operator("GET", "/admin/sessions/{id}", Action::SessionList, Now(admin::sessions::show)),
    operator("DELETE", "/admin/sessions/{id}", Action::SessionEnd, Now(admin::sessions::end)),
    operator(
        "GET",
        "/admin/stats",
        Action::StatsRead,
        Later(|s, r| admin::stats::show(s, r).boxed()),
    ),
    operator("GET", "/admin/explain/{request_id}", Action::RefusalRead, Now(admin::explain::show)),
    operator(
        "GET",
        "/admin/audit",
        Action::AuditRead,
        Later(|s, r| admin::audit::show(s, r).boxed()),
    ),
    operator(
        "GET",
        "/admin/audit/verify",
        Action::AuditRead,
        Later(|s, r| admin::audit::verify(s, r).boxed()),
    ),
    operator("GET", "/admin/tenants", Action::TenantList, Now(admin::tenants::list)),
    operator(
        "POST",
        "/admin/tenants",
        Action::TenantCreate,
        Later(|s, r| admin::tenants::create(s, r).boxed()),
    ),
    operator("GET", "/admin/keys", Action::KeyList, Now(admin::keys::list)),
    operator(
        "POST",
        "/admin/keys",
        Action::KeyCreate,
        Later(|s, r| admin::keys::create(s, r).boxed()),
    ),
    operator("GET", "/admin/keys/{id}", Action::KeyList, Now(admin::keys::show)),
    operator(
        "POST",
        "/admin/keys/{id}/rotate",
        Action::KeyRotate,
        Later(|s, r| admin::keys::rotate(s, r).boxed()),
    ),
    operator(
        "DELETE",
        "/admin/keys/{id}",
        Action::KeyRevoke,
        Later(|s, r| admin::keys::revoke(s, r).boxed()),
    ),
];

/// Whether a listener serves an area.
#[must_use]
pub fn serves(surface: Surface, area: Area, admin_listener: bool) -> bool {
    match area {
        Area::Health => true,
        Area::Mcp | Area::Resource => surface == Surface::Public,
        Area::Admin => match surface {
            Surface::Public => !admin_listener,
            Surface::Admin | Surface::Control => true,
            Surface::Ops => false,
        },
    }
}

/// The routes of one listener, each behind the layers for known callers where it needs them.
pub fn router(state: &Arc<State>, surface: Surface) -> Router {
    let admin_listener = state.settings.listen.admin.is_some();
    let served = |area| serves(surface, area, admin_listener);
    let mut router = Router::new();
    let told = |area| area != Area::Resource || !state.settings.auth.issuers.is_empty();
    for row in TABLE.iter().filter(|row| served(row.area) && told(row.area)) {
        let handler = handle(state, *row);
        router = router.route(
            row.path,
            match row.who {
                Who::Anyone => on_service(filter(row.method), named(row.path, handler)),
                Who::Key(role, action) => {
                    let known = stack::inner(state, role, Some(action), handler);
                    on_service(filter(row.method), named(row.path, known))
                }
            },
        );
    }
    let router = router.method_not_allowed_fallback(async |request: Request<Body>| {
        let why = "this path does not take this method; see the `Allow` header";
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, why)
            .by(error::Layer::Route)
            .answer(&Asker::of(&request))
    });
    if !served(Area::Admin) {
        return router.fallback_service(unknown());
    }
    let hidden = || any_service(stack::inner(state, Role::Operator, None, unknown()));
    router
        .route("/admin", hidden())
        .route("/admin/", hidden())
        .route("/admin/{*rest}", hidden())
        .fallback_service(unknown())
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "GET" => MethodFilter::GET,
        "POST" => MethodFilter::POST,
        _ => MethodFilter::DELETE,
    }
}

/// Tells the log and the record where a request goes, also when it is refused on the way.
fn named(pattern: &'static str, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |request: Request<Body>| {
        if let Some(line) = request.extensions().get::<Arc<Line>>() {
            line.routed(pattern);
        }
        inner.call(request)
    })
}

fn handle(state: &Arc<State>, row: Row) -> impl Stage + use<> {
    let state = Arc::clone(state);
    service_fn(move |request: Request<Body>| {
        let asker = Asker::of(&request);
        match row.handler {
            Now(answer) => {
                let answer = answer(&state, &request);
                Either::Left(ready(Ok(answer.unwrap_or_else(|refusal| refusal.answer(&asker)))))
            }
            Later(answer) => Either::Right(
                answer(Arc::clone(&state), request)
                    .map(move |answer| Ok(answer.unwrap_or_else(|refusal| refusal.answer(&asker)))),
            ),
        }
    })
}

fn unknown() -> impl Stage {
    service_fn(async |request: Request<Body>| {
        Ok(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here")
            .by(error::Layer::Route)
            .answer(&Asker::of(&request)))
    })
}

#[cfg(test)]
mod tests;
