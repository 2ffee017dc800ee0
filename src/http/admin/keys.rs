//! `/admin/keys`: which there are, making one, giving one a new secret, revoking one.
//!
//! The text of a new key is in the answer to its making and nowhere else. SECURITY: what goes
//! out is [`Shown`], field by field, so that nothing that a record may gain later can leak (I5).

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::Request;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::exchange::{about, blocking, created, done, id, id_before, ok, read};
use crate::{
    config::form::time,
    domain::{
        Error,
        action::Access,
        bounds::Bounds,
        hours::Hours,
        key::{KeyId, Role},
        last_use::LastUse,
        network::Networks,
        pack::Packs,
        rate_class::RateClass,
        reach::Tags,
        tenant::{TenantId, TenantLabel},
        tool::Tools,
    },
    http::{error::Refusal, state::State},
    registry::keyring::{Attention, Key, NewKey},
};

/// How long an old secret works beside the new one when nobody says.
pub(crate) const DEFAULT_OVERLAP: Duration = Duration::from_hours(24);

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
    tools: Option<Tools>,
    access: Access,
    tags: Option<&'a Tags>,
    from: Option<&'a Networks>,
    hours: Option<&'a Hours>,
    rate_class: Option<&'a RateClass>,
    can: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    old_works_until: Option<Timestamp>,
    last_used: Option<Timestamp>,
    last_use: Option<LastUse>,
    attention: Vec<Attention>,
}

impl<'a> Shown<'a> {
    /// The key as it is at `now`.
    pub(crate) fn of(key: &'a Key, now: Timestamp) -> Self {
        let record = &key.record;
        let Bounds { tools, access, tags, from, hours, rate_class } = &record.bounds;
        let last_use = key.last_use();
        Self {
            id: &record.id,
            role: record.role,
            tenant: record.tenant.as_ref().map(|tenant| &tenant.label),
            tenant_id: record.tenant.as_ref().map(|tenant| &tenant.id),
            name: &record.name,
            packs: record.packs,
            act_as: &record.act_as,
            tools: *tools,
            access: *access,
            tags: tags.as_ref(),
            from: from.as_ref(),
            hours: hours.as_ref(),
            rate_class: rate_class.as_ref(),
            can: record.in_words(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            old_works_until: key.old_secret_until(now),
            last_used: last_use.as_ref().map(|last| last.at),
            last_use,
            attention: key.attention(now),
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    keys: Vec<Shown<'a>>,
}

/// A new key, or a new secret of one: the secret, once.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    key: Shown<'a>,
    secret: &'a str,
}

/// What may be asked for. The names are those of the command line too, whose flags name one of a
/// list at a time.
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
    tools: Option<Tools>,
    #[serde(default)]
    access: Access,
    tags: Option<Tags>,
    from: Option<Networks>,
    hours: Option<Hours>,
    rate_class: Option<RateClass>,
    expires_at: Option<Timestamp>,
}

fn agent() -> Role {
    Role::Agent
}

/// How a key is given a new secret.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// `24h`, up to `30d`; `0s` ends the old secret at once.
    overlap: Option<String>,
}

/// `GET /admin/keys`
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(in crate::http) fn list(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    let (keys, now) = (state.registry.keys.list(), state.clock.now());
    Ok(ok(&Listed { keys: keys.iter().map(|key| Shown::of(key, now)).collect() }))
}

/// `GET /admin/keys/{id}`
pub(in crate::http) fn show(state: &State, request: &Request<Body>) -> Result<Response, Refusal> {
    let key = state.registry.keys.get(&parsed(id(request))?).ok_or_else(unknown)?;
    Ok(ok(&Shown::of(&key, state.clock.now())))
}

/// `POST /admin/keys`
pub(in crate::http) async fn create(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let wanted: Wanted = read(request).await?;
    let Wanted { role, tenant, name, packs, act_as, expires_at, .. } = wanted;
    let tenant = match tenant {
        Some(label) => {
            let found = state.registry.tenants.by_label(&label);
            Some(found.ok_or_else(|| Error::not_found("tenant"))?)
        }
        None => None,
    };
    let Wanted { tools, access, tags, from, hours, rate_class, .. } = wanted;
    let bounds = Bounds { tools, access, tags, from, hours, rate_class };
    let new = NewKey { role, tenant, name, packs, act_as, bounds, expires_at };
    let (key, secret) = blocking(&state, |state| state.registry.create_key(new)).await?;
    let id = &key.record.id;
    tracing::info!(key = %id, %role, "a key was made");
    let made = Made { key: Shown::of(&key, state.clock.now()), secret: secret.expose() };
    Ok(about(id, created(&format!("/admin/keys/{id}"), &made)))
}

/// `POST /admin/keys/{id}/rotate`: a new secret, and how long the one before it still works.
pub(in crate::http) async fn rotate(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let id = parsed(id_before(&request, "rotate"))?;
    let Rotation { overlap } = read(request).await?;
    let overlap = match overlap.as_deref() {
        None => DEFAULT_OVERLAP,
        Some(text) => time::parse(text.trim()).ok_or_else(|| {
            Error::bad_input("`overlap` is a number and a unit of s, m, h or d, like `24h` or `0s`")
        })?,
    };
    let wanted = id.clone();
    let rotated = blocking(&state, move |state| state.registry.keys.rotate(&wanted, overlap));
    let (key, secret) = rotated.await?.ok_or_else(unknown)?;
    tracing::info!(key = %id, overlap_seconds = overlap.as_secs(), "a key has a new secret");
    let made = Made { key: Shown::of(&key, state.clock.now()), secret: secret.expose() };
    Ok(about(id, ok(&made)))
}

/// `DELETE /admin/keys/{id}`: when it answers, no request with the key succeeds (I9).
pub(in crate::http) async fn revoke(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let id = parsed(id(&request))?;
    let wanted = id.clone();
    if !blocking(&state, move |state| state.registry.keys.revoke(&wanted)).await? {
        return Err(unknown());
    }
    tracing::info!(key = %id, "a key was revoked");
    Ok(about(id, done()))
}

fn parsed(id: &str) -> Result<KeyId, Refusal> {
    KeyId::parse(id).map_err(|_| unknown())
}

fn unknown() -> Refusal {
    Refusal::from(Error::not_found("key"))
}
