//! So many requests of one tenant at once: one tenant's load slows that tenant only (I11).
//!
//! A place is held until the last byte of the answer is out or the client is gone, so a client
//! that reads slowly keeps its own tenant's places, not the server's memory. Event streams may
//! stay open for hours and are counted apart, by the room `mcp` (`Places::stream`).

use std::{
    future::ready,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{FutureExt, future::Either};
use http::{HeaderValue, Request, header};
use http_body::{Body as _, Frame, SizeHint};
use tower::service_fn;

use super::Stage;
use crate::{
    auth::Principal,
    http::error::{Asker, Layer, Refusal},
    limits::places::{Place, Places},
};

/// Bounds what each tenant has under way. Callers without a tenant (operators) are not counted.
pub fn layer(places: Arc<Places>, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |mut request: Request<Body>| {
        let tenant = request.extensions().get::<Principal>().and_then(Principal::tenant);
        let place = match tenant.map(|tenant| places.request(&tenant.id)).transpose() {
            Ok(place) => place.map(Arc::new),
            Err(error) => {
                let refusal = Refusal::from(error).by(Layer::Places);
                let refusal = refusal.answer(&Asker::of(&request));
                return Either::Left(ready(Ok(refusal)));
            }
        };
        // For work that goes on when the caller has hung up: it shares the place.
        if let Some(place) = &place {
            request.extensions_mut().insert(Arc::clone(place));
        }
        Either::Right(
            inner.call(request).map(move |answer| answer.map(|response| hold(response, place))),
        )
    })
}

fn hold(response: Response, place: Option<Arc<Place>>) -> Response {
    let Some(place) = place else { return response };
    if response.body().is_end_stream() || is_event_stream(&response) {
        return response;
    }
    response.map(|body| Body::new(Held { body, place: Some(place) }))
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"))
}

/// A body that keeps its tenant's place until it ends.
struct Held {
    body: Body,
    place: Option<Arc<Place>>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.place = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body_util::BodyExt as _;
    use tower::Service;

    use super::*;
    use crate::{auth::testing::World, config::limits::Limits, domain::tenant::TenantId};

    /// One place for each tenant.
    struct Scene {
        world: World,
        places: Arc<Places>,
    }

    fn scene() -> Scene {
        let limits = Limits { concurrency_per_tenant: 1, ..Limits::default() };
        Scene { world: World::new(), places: Arc::new(Places::new(&limits)) }
    }

    impl Scene {
        async fn call(&self, principal: &Principal, kind: &'static str) -> Response {
            let route = service_fn(move |_: Request<Body>| async move {
                let parts = ["one", "two"].map(|part| Ok::<_, Infallible>(Bytes::from(part)));
                let mut response = Response::new(Body::from_stream(stream::iter(parts)));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
                Ok::<_, Infallible>(response)
            });
            let mut request = Request::post("/mcp").body(Body::empty()).unwrap();
            request.extensions_mut().insert(principal.clone());
            layer(Arc::clone(&self.places), route).call(request).await.unwrap()
        }

        fn taken(&self, tenant: &TenantId) -> usize {
            self.places.taken(tenant).0
        }
    }

    #[tokio::test]
    async fn i11_a_place_is_held_until_the_last_byte() {
        let scene = scene();
        let (acme, globex) = (scene.world.agent("acme").await, scene.world.agent("globex").await);
        let tenant = scene.world.tenant("acme").id;
        let mut first = scene.call(&acme, "application/json").await;
        let refused = scene.call(&acme, "application/json").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        assert_eq!(scene.call(&globex, "application/json").await.status(), 200);
        first.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(scene.taken(&tenant), 1);
        while first.body_mut().frame().await.is_some() {}
        assert_eq!(scene.taken(&tenant), 0);
        assert_eq!(scene.call(&acme, "application/json").await.status(), 200);
    }

    #[tokio::test]
    async fn i11_a_client_that_goes_away_gives_its_place_back() {
        let scene = scene();
        let acme = scene.world.agent("acme").await;
        let tenant = scene.world.tenant("acme").id;
        let response = scene.call(&acme, "application/json").await;
        assert_eq!(scene.taken(&tenant), 1);
        drop(response);
        assert_eq!(scene.taken(&tenant), 0);
    }

    #[tokio::test]
    async fn an_event_stream_is_counted_elsewhere() {
        let scene = scene();
        let acme = scene.world.agent("acme").await;
        let stream = scene.call(&acme, "text/event-stream; charset=utf-8").await;
        assert_eq!(scene.taken(&scene.world.tenant("acme").id), 0);
        assert_eq!(scene.call(&acme, "application/json").await.status(), 200);
        drop(stream);
    }

    #[tokio::test]
    async fn operators_take_no_place() {
        let scene = scene();
        let operator = scene.world.operator().await;
        let held = scene.call(&operator, "application/json").await;
        assert_eq!(scene.call(&operator, "application/json").await.status(), 200);
        assert_eq!(scene.places.busy_tenants(), 0);
        drop(held);
    }
}
