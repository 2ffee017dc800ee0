//! `/mcp` itself: from a request with its proofs to a response.
//!
//! What is checked here is what the protocol library does not check or answers in a way that
//! clients cannot use: the shape of the message, the era it belongs to, who owns the session it
//! names, how many streams a tenant may hold. Then the tenant's own service answers, and what
//! it streams is counted and cut with its session.
//!
//! Every POST, GET and DELETE comes through [`Gateway::answer`]; there is no second door.

mod call;
mod post;
mod quiet;
mod session;

use std::{fmt, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Collected, Full};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    direct::PlainCalls,
    endpoint::{Endpoint, Known},
    live_body::{LiveBody, Tally},
    refusal::{PARSE_ERROR, Refusal},
    services::{Handlers, Service, Services},
    under_way::UnderWay,
    visit::Visit,
};
use crate::{
    config::Settings,
    domain::{clock::Clock, tenant::Tenant},
    limits::places::{Place, Places},
    registry::ledger::Ledger,
};

type Answer = Result<Response<Body>, Refusal>;

/// What the gateway works with.
#[derive(Debug, Clone)]
pub struct Means {
    /// Who is there.
    pub ledger: Arc<Ledger>,
    /// How many streams a tenant may hold.
    pub places: Arc<Places>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where its tasks belong (I12).
    pub tasks: TaskTracker,
    /// Cancelled when the server stops: ends every session and stream.
    pub stop: CancellationToken,
}

/// The endpoint, with the handlers that do the work.
pub struct Gateway<H: Handlers> {
    services: Services<H>,
    /// Who answers plain calls, where the handlers are quiet.
    quiet: Option<Arc<dyn PlainCalls>>,
    under_way: UnderWay,
    means: Means,
    json_response: bool,
}

impl<H: Handlers> fmt::Debug for Gateway<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("services", &self.services).finish_non_exhaustive()
    }
}

impl<H: Handlers> Gateway<H> {
    /// An endpoint in front of `handlers`.
    #[must_use]
    pub fn new(handlers: H, settings: &Settings, means: Means) -> Self {
        let quiet = handlers.plain_calls();
        let services =
            Services::new(handlers, settings, Arc::clone(&means.clock), means.stop.child_token());
        let under_way = UnderWay::default();
        Self { services, quiet, under_way, means, json_response: settings.mcp.json_response }
    }

    /// How many tenants have a service open.
    #[must_use]
    pub fn open_services(&self) -> usize {
        self.services.len()
    }

    #[cfg(test)]
    pub(in crate::mcp) fn service(&self, tenant: &Tenant) -> Arc<Service<H>> {
        self.services.of(tenant).unwrap()
    }

    async fn route(&self, request: Request<Body>, mut known: Known) -> Response<Body> {
        // INVARIANT I1: the tenant is the credential's. Nothing of the request is asked.
        let principal = known.principal.clone();
        let Some(tenant) = principal.tenant() else {
            return Refusal::new(StatusCode::FORBIDDEN, 403, "this key opens no memory").answer("");
        };
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            // A stream has a place of its own.
            known.place = None;
        }
        match parts.method {
            Method::POST => self.post(parts, body, tenant, known).await,
            Method::GET => self.get(parts, tenant, known).await.unwrap_or_else(|r| r.answer("")),
            Method::DELETE => {
                self.delete(&parts, tenant, &known).await.unwrap_or_else(|r| r.answer(""))
            }
            _ => Refusal::method("GET, POST, DELETE").answer(""),
        }
    }

    /// Hands a request to the tenant's service.
    async fn serve(
        service: &Service<H>,
        mut parts: Parts,
        body: Bytes,
        visit: Arc<Visit>,
    ) -> Answer {
        parts.extensions.insert(visit);
        // Boxed: the library's future is so large that every request would pay for moving it,
        // the plain calls that never come here too.
        let response = service.http.handle(Request::from_parts(parts, Full::new(body))).boxed();
        ours(response.await.map(Body::new))
    }

    fn place(&self, tenant: &Tenant) -> Result<Place, Refusal> {
        Ok(self.means.places.stream(&tenant.id)?)
    }

    /// Lets a response out: a stream gets its place and its end, any other is counted.
    fn release(
        &self,
        response: Response<Body>,
        mut tally: Tally,
        place: Option<Place>,
        service: Arc<Service<H>>,
        tenant: &Tenant,
    ) -> Answer {
        if !is_stream(&response) {
            return Self::count(response, tally);
        }
        if response.status().is_success() {
            tally.answered();
        }
        let place = place.map_or_else(|| self.place(tenant), Ok)?;
        let session = Arc::clone(tally.session());
        Ok(response
            .map(|inner| Body::new(LiveBody::new(inner, &session, place, Some(tally), service))))
    }

    /// Counts an answer that is whole, and puts a limit or a fault into its status.
    fn count(response: Response<Body>, mut tally: Tally) -> Answer {
        if response.status().is_success() {
            tally.answered();
        }
        if let Some(error) = tally.visit().overruled() {
            return Err(error.into());
        }
        let bytes = http_body::Body::size_hint(response.body()).exact().unwrap_or(0);
        tally.session().sent(bytes);
        Ok(response)
    }
}

impl<H: Handlers> Endpoint for Gateway<H> {
    fn answer(&self, request: Request<Body>, caller: Known) -> BoxFuture<'_, Response<Body>> {
        self.route(request, caller).boxed()
    }
}

fn is_stream(response: &Response<Body>) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// The protocol library's own refusals are plain text, some with a parser's or an internal
/// error's words. They leave as JSON-RPC errors with a fixed sentence.
fn ours(response: Response<Body>) -> Answer {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if status.is_success() || kind.is_some_and(|kind| kind == "application/json") {
        return Ok(response);
    }
    Err(match status {
        StatusCode::NOT_FOUND => Refusal::no_session(),
        StatusCode::METHOD_NOT_ALLOWED => Refusal::method("POST"),
        // Our checks leave it one reason for this: a message that fits no type.
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::BAD_REQUEST => Refusal::unfit(),
        status if status.is_client_error() => {
            Refusal::new(status, i32::from(status.as_u16()), "refused")
        }
        _ => Refusal::internal(),
    })
}

/// Takes the whole body. A body that is too large or too slow breaks off, and the layer that
/// broke it puts the true reason in the place of this one.
async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let body = body.collect().await;
    body.map(Collected::to_bytes).map_err(|_| Refusal::bad(PARSE_ERROR, "the message broke off"))
}

#[cfg(test)]
mod tests;
