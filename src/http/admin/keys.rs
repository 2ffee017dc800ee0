//! `/admin/keys`: which there are, making one, revoking one.
//!
//! The text of a new key is in the answer to its making and nowhere else. SECURITY: what goes
//! out is [`Shown`], field by field, so that nothing that a record may gain later can leak (I5).

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::Request;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::exchange::{about, blocking, created, done, id, ok, read};
use crate::{
    domain::{
        Error,
        key::{KeyId, Role},
        pack::Packs,
        tenant::{TenantId, TenantLabel},
    },
    http::{error::Refusal, state::State},
    registry::keyring::{Key, NewKey},
};

/// A key as operators see it, here and on the command line.
#[derive(Serialize)]
pub(crate) struct Shown<'a> {
    id: &'a KeyId,
    role: Role,
    tenant: Option<&'a TenantLabel>,
    tenant_id: Option<&'a TenantId>,
    name: &'a str,
    packs: Option<Packs>,
    act_as: &'a [TenantLabel],
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    last_used: Option<Timestamp>,
}

impl<'a> From<&'a Key> for Shown<'a> {
    fn from(key: &'a Key) -> Self {
        let record = &key.record;
        Self {
            id: &record.id,
            role: record.role,
            tenant: record.tenant.as_ref().map(|tenant| &tenant.label),
            tenant_id: record.tenant.as_ref().map(|tenant| &tenant.id),
            name: &record.name,
            packs: record.packs,
            act_as: &record.act_as,
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            last_used: key.last_used(),
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    keys: Vec<Shown<'a>>,
}

/// A new key: its secret, once.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    key: Shown<'a>,
    secret: &'a str,
}

/// What may be asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default = "agent")]
    role: Role,
    tenant: Option<TenantLabel>,
    #[serde(default, alias = "label")]
    name: String,
    packs: Option<Packs>,
    #[serde(default)]
    act_as: Vec<TenantLabel>,
    expires_at: Option<Timestamp>,
}

fn agent() -> Role {
    Role::Agent
}

/// `GET /admin/keys`
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(in crate::http) fn list(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    let keys = state.registry.keys.list();
    Ok(ok(&Listed { keys: keys.iter().map(|key| Shown::from(key.as_ref())).collect() }))
}

/// `POST /admin/keys`
pub(in crate::http) async fn create(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let Wanted { role, tenant, name, packs, act_as, expires_at } = read(request).await?;
    let tenant = match tenant {
        Some(label) => {
            let found = state.registry.tenants.by_label(&label);
            Some(found.ok_or_else(|| Error::not_found("tenant"))?)
        }
        None => None,
    };
    let new = NewKey { role, tenant, name, packs, act_as, expires_at };
    let (key, secret) = blocking(&state, |state| state.registry.create_key(new)).await?;
    let id = &key.record.id;
    tracing::info!(key = %id, %role, "a key was made");
    let made = Made { key: Shown::from(key.as_ref()), secret: secret.expose() };
    Ok(about(id, created(&format!("/admin/keys/{id}"), &made)))
}

/// `DELETE /admin/keys/{id}`: when it answers, no request with the key succeeds (I9).
pub(in crate::http) async fn revoke(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let unknown = || Refusal::from(Error::not_found("key"));
    let id = KeyId::parse(id(&request)).map_err(|_| unknown())?;
    let wanted = id.clone();
    if !blocking(&state, move |state| state.registry.keys.revoke(&wanted)).await? {
        return Err(unknown());
    }
    tracing::info!(key = %id, "a key was revoked");
    Ok(about(id, done()))
}
