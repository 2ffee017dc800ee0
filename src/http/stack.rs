//! Every layer, and why it stands where it stands. `outer` is for anybody's traffic, `inner` for
//! known callers.
//!
//! Both read from the inside out: the first line is nearest to the route, the last one meets the
//! request first and the answer last. A refusal by a layer passes every layer below it in the
//! list, so each says what it must be outside of.

use std::sync::Arc;

use super::{
    layers::{
        Stage, access_log, authenticate, authorize, body, catch_panic, client_address, cors,
        head_size, host, https, origin, request_id, security_headers, sensitive_headers,
    },
    routes,
    server::Door,
    state::State,
};
use crate::domain::{action::Action, key::Role};

/// One listener's whole service: the layers for anybody's traffic around its routes.
pub fn outer(state: &Arc<State>, door: Door) -> impl Stage + use<> {
    let (listen, http) = (&state.settings.listen, &state.settings.http);
    let origins =
        Arc::new(origin::Origins::on(door.address, door.encrypted, &http.allowed_origins));
    let hosts = Arc::new(host::Hosts::on(door.surface, door.address, &http.trusted_hosts));

    let stage = routes::router(state, door.surface);
    // Preflights end here: outside of every limit and of authentication, because they carry no
    // key, and so that a page can read what the inside refuses.
    let stage = cors::layer(http.cors, Arc::clone(&origins), stage);
    // Nobody inside reads a body that is too large or too slow.
    let stage = body::layer(listen, stage);
    // Plain HTTP ends before a credential is looked at; inside the host guard, since a redirect
    // repeats the Host.
    let stage = https::layer(requires_https(state, door), stage);
    // Pages of foreign origins end before anything is answered about, on every route.
    let stage = origin::layer(origins, stage);
    // Everything inside may rely on one well-written Host of ours.
    let stage = host::layer(hosts, stage);
    // Oversized heads are not even read for their Host.
    let stage = head_size::layer(listen, stage);
    // Outside of everything that could panic on outside input, inside of what every answer, a
    // panic's too, must carry.
    let stage = catch_panic::layer(stage);
    let stage = security_headers::layer(stage);
    // Outside of every refusal: one line each.
    let stage = access_log::layer(Arc::clone(&state.clock), Arc::clone(&state.stats), stage);
    // The log, the HSTS header and every limit need the true address and scheme.
    let stage = client_address::layer(listen.trusted_proxies.clone().into(), stage);
    // Before anything can print a header.
    let stage = sensitive_headers::layer(stage);
    // First of all: everything else names the request by it.
    request_id::layer(Arc::clone(&state.request_ids), stage)
}

/// The layers of a route that takes a key of `role`, around its handler.
pub fn inner<S: Stage>(
    state: &Arc<State>,
    role: Role,
    action: Option<Action>,
    handler: S,
) -> impl Stage + use<S> {
    // Last: the decision about this very route.
    let stage = authorize::layer(Arc::clone(&state.engine), role, action, handler);
    // First: nothing below knows what to count before it is known who calls.
    authenticate::layer(Arc::clone(&state.authenticator), stage)
}

/// Probes and the local administration come without TLS by their nature.
fn requires_https(state: &State, door: Door) -> bool {
    use super::server::peer::Surface;
    state.settings.http.require_https && matches!(door.surface, Surface::Public | Surface::Admin)
}
