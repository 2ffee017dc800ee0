//! Every layer, and why it stands where it stands. [`outer`] is for anybody's traffic, [`inner`]
//! for known callers.
//!
//! Both lists read in the order in which a request meets the layers; the answer passes them the
//! other way round. A refusal by one layer is seen by every layer above it and by none below it,
//! so each line says what its layer must be outside or inside of. The order is held by tests of
//! what comes of it (`tests`), not by its looks.

use std::sync::Arc;

use super::{
    layers::{
        Stage, access_log, address_limit, authenticate, authorize, body, catch_panic,
        client_address, cors, head_size, host, https, key_limit, origin, recorded, request_id,
        security_headers, sensitive_headers, tenant_places,
    },
    resource::Challenges,
    routes,
    server::{Door, peer::Surface},
    state::State,
};
use crate::domain::{action::Action, key::Role};

/// Nests layers, the outermost first: `a(x) => b() => core` is `a::layer(x, b::layer(core))`.
macro_rules! onion {
    ($layer:ident($($argument:expr),*) => $($inside:tt)+) => {
        $layer::layer($($argument,)* onion!($($inside)+))
    };
    ($core:expr) => { $core };
}

/// One listener's whole service: the layers for anybody's traffic around its routes.
#[must_use]
pub fn outer(state: &Arc<State>, door: Door) -> impl Stage + use<> {
    let (listen, http) = (&state.settings.listen, &state.settings.http);
    let origins =
        Arc::new(origin::Origins::on(door.address, door.encrypted, &http.allowed_origins));
    let hosts = Arc::new(host::Hosts::on(door.surface, door.address, &http.trusted_hosts));
    let proxies = listen.trusted_proxies.clone().into();
    onion! {
        // First of all: everything else names the request by it.
        request_id(Arc::clone(&state.request_ids)) =>
        // Before anything can print a header.
        sensitive_headers() =>
        // The log, HSTS and every limit need the true address and scheme; it refuses nothing.
        client_address(proxies) =>
        // Outside of everything that can answer: one line and one record (I10) for each request,
        // refused ones too.
        access_log(
            Arc::clone(&state.clock),
            Arc::clone(&state.stats),
            Arc::clone(&state.audit)
        ) =>
        // Outside of every refusal and of the 500 of a panic: they carry the headers as well.
        security_headers() =>
        // Outside of everything that reads what a client sent.
        catch_panic() =>
        // An oversized head is not even read for its Host.
        head_size(listen) =>
        // Everything below may rely on one well-written Host of ours.
        host(hosts) =>
        // Pages of foreign origins end here, on every route, before CORS could answer them.
        origin(Arc::clone(&origins)) =>
        // Before a credential is looked at; below the host guard, as a redirect repeats the Host.
        https(requires_https(state, door)) =>
        // Nobody below reads a body that is too large or too slow.
        body(listen) =>
        // A preflight ends here: it carries no key and costs nothing. Above all that refuses
        // known callers, so that a page can read why.
        cors(http.cors, origins) =>
        // The shield: what costs more than the above costs it only so often per address.
        address_limit(Arc::clone(&state.shield)) =>
        // What is not in the table is 404 from here, without anybody being asked for a key.
        routes::router(state, door.surface)
    }
}

/// The layers of a route that takes a key of `role`, around its handler.
pub fn inner<S: Stage>(
    state: &Arc<State>,
    role: Role,
    action: Option<Action>,
    handler: S,
) -> impl Stage + use<S> {
    onion! {
        // First: nothing below knows whom to count before it is known who calls.
        authenticate(Arc::clone(&state.authenticator), Challenges::new(&state.settings.auth)) =>
        // Each key its own allowance, whatever it then asks for.
        key_limit(Arc::clone(&state.rates), Arc::clone(&state.stats)) =>
        // A tenant that fills its places waits for itself (I11).
        tenant_places(Arc::clone(&state.places)) =>
        // The decision about this very route.
        authorize(Arc::clone(&state.engine), role, action) =>
        // Last: only what is permitted has to be recorded before it is answered.
        recorded(Arc::clone(&state.audit), state.tasks.clone(), action) =>
        handler
    }
}

/// Probes and the local administration come without TLS by their nature.
fn requires_https(state: &State, door: Door) -> bool {
    state.settings.http.require_https && matches!(door.surface, Surface::Public | Surface::Admin)
}

#[cfg(test)]
mod tests;
