//! `/admin/tenants`: which there are, and making one.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::{FutureExt, future::BoxFuture};
use http::Request;
use serde::{Deserialize, Serialize};

use super::exchange::{blocking, created, ok, read};
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
pub(in crate::http) fn list(
    state: Arc<State>,
    _: Request<Body>,
) -> BoxFuture<'static, Result<Response, Refusal>> {
    let answer = ok(&Listed { tenants: state.registry.tenants.list() });
    std::future::ready(Ok(answer)).boxed()
}

/// `POST /admin/tenants`
pub(in crate::http) fn create(
    state: Arc<State>,
    request: Request<Body>,
) -> BoxFuture<'static, Result<Response, Refusal>> {
    Box::pin(async move {
        let Wanted { label } = read(request).await?;
        let tenant = blocking(&state, move |state| state.registry.tenants.create(&label)).await?;
        tracing::info!(tenant = %tenant.id, "a tenant was made");
        Ok(created("/admin/tenants", &tenant))
    })
}
