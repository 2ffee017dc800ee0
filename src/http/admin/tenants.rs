//! `/admin/tenants`: which there are, and making one.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::Request;
use serde::{Deserialize, Serialize};

use super::exchange::{about, blocking, created, ok, read};
use crate::{
    domain::tenant::{Tenant, TenantLabel},
    http::{error::Refusal, state::State},
};

#[derive(Serialize)]
struct Listed {
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(alias = "name")]
    label: TenantLabel,
}

/// `GET /admin/tenants`
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(in crate::http) fn list(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    Ok(ok(&Listed { tenants: state.registry.tenants.list() }))
}

/// `POST /admin/tenants`
pub(in crate::http) async fn create(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let Wanted { label } = read(request).await?;
    let tenant = blocking(&state, move |state| state.registry.tenants.create(&label)).await?;
    tracing::info!(tenant = %tenant.id, "a tenant was made");
    Ok(about(&tenant.id, created("/admin/tenants", &tenant)))
}
