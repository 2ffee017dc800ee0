//! May they: the route's action, decided by policy, before the route is reached.
//!
//! The role is checked first and here, so that no policy file, however wrong, can open `/admin`
//! to an agent's key or `/mcp` to an operator's.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};

use super::{Stage, access_log::Line, authenticate, guard};
use crate::{
    domain::{
        action::{Action, Resource},
        key::Role,
    },
    http::error::{Layer, Refusal},
    policy::Engine,
};

/// Lets through callers of this role whom the policy allows this action.
pub fn layer(
    engine: Arc<Engine>,
    role: Role,
    action: Option<Action>,
    inner: impl Stage,
) -> impl Stage {
    guard(
        move |request| check(request, &engine, role, action).map_err(|r| r.by(Layer::RoutePolicy)),
        inner,
    )
}

fn check(
    request: &Request<Body>,
    engine: &Engine,
    role: Role,
    action: Option<Action>,
) -> Result<(), Refusal> {
    let principal = authenticate::principal(request)?;
    if principal.role() != role {
        let why = match role {
            Role::Agent => "this is an operator's key; tools need an agent's key",
            Role::Operator => "this is an agent's key; the administration needs an operator's key",
        };
        return Err(Refusal::new(StatusCode::FORBIDDEN, why));
    }
    let Some(action) = action else { return Ok(()) };
    principal.check_scope(action)?;
    let resource = match principal.tenant() {
        Some(tenant) => Resource::Tenant(tenant.id.clone()),
        None => Resource::Deployment,
    };
    let permit = engine.authorize(principal, action, resource)?;
    if let Some(line) = request.extensions().get::<Arc<Line>>() {
        line.permitted(&permit);
    }
    Ok(())
}
