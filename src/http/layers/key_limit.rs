//! So many requests of one key, whatever it asks for; every answer says how many are left.
//!
//! Inside authentication, because only a known caller has a bucket, and outside of everything
//! that costs something. Only the local control socket is exempt.

use std::{future::ready, sync::Arc};

use axum::{body::Body, response::Response};
use futures::{FutureExt, future::Either};
use http::Request;
use tower::service_fn;

use super::{
    Stage,
    address_limit::{answer, is_local},
    authenticate,
};
use crate::{
    http::error::{Asker, Layer, Refusal},
    limits::{headers, rates::Rates},
    telemetry::stats::Stats,
};

/// Counts the requests of each key.
pub fn layer(rates: Arc<Rates>, stats: Arc<Stats>, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |request: Request<Body>| {
        if is_local(&request) {
            return Either::Left(inner.call(request));
        }
        let refuse = |refusal| Either::Right(Either::Left(ready(Ok(refusal))));
        let counted = authenticate::principal(&request).and_then(|principal| {
            let class = principal.bounds().rate_class.as_ref();
            let counted = rates.request(principal.key_id(), class);
            counted.map_err(|error| Refusal::from(error).by(Layer::KeyLimit))
        });
        let decision = match counted {
            Ok(decision) => decision,
            Err(refusal) => return refuse(refusal.answer(&Asker::of(&request))),
        };
        if !decision.allowed {
            stats.limited(decision.class);
            return refuse(answer(&decision, &Asker::of(&request)));
        }
        Either::Right(Either::Right(inner.call(request).map(move |answer| {
            answer.map(|mut response: Response| {
                // A limit further in that was reached is the one to tell of.
                if !response.headers().contains_key(headers::RATE_LIMIT) {
                    headers::write(&decision, response.headers_mut());
                }
                response
            })
        })))
    })
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http::header;
    use tower::Service;

    use super::*;
    use crate::{
        auth::{Principal, testing::World},
        config::limits::Limits,
        domain::{clock::Clock, limits::Rate, rate_class::RateClass},
        http::server::peer::{Peer, Surface},
    };

    struct Scene {
        world: World,
        rates: Arc<Rates>,
    }

    fn scene() -> Scene {
        scene_with(|_| {})
    }

    fn scene_with(change: impl FnOnce(&mut Limits)) -> Scene {
        let mut limits = Limits { per_key: Rate::new(100, 3600), ..Limits::default() };
        change(&mut limits);
        let world = World::with(|settings| settings.limits = limits.clone());
        let clock: Arc<dyn Clock> = world.clock.clone();
        let rates = Arc::new(Rates::new(&limits, clock));
        Scene { world, rates }
    }

    impl Scene {
        async fn send(&self, request: Request<Body>) -> Response {
            let route = service_fn(|_: Request<Body>| async {
                Ok::<_, Infallible>(Response::new(Body::empty()))
            });
            let (rates, stats) = (Arc::clone(&self.rates), Arc::clone(&self.world.stats));
            layer(rates, stats, route).call(request).await.unwrap()
        }

        async fn call(&self, principal: &Principal) -> Response {
            let mut request = Request::post("/mcp").body(Body::empty()).unwrap();
            request.extensions_mut().insert(principal.clone());
            self.send(request).await
        }
    }

    #[tokio::test]
    async fn the_101st_of_100_is_refused_and_nobody_else_notices() {
        let scene = scene();
        let (acme, again) = (scene.world.agent("acme").await, scene.world.agent("acme").await);
        for n in (0..100).rev() {
            let response = scene.call(&acme).await;
            assert_eq!(response.status(), 200);
            let state = response.headers()[headers::RATE_LIMIT].to_str().unwrap();
            assert!(state.starts_with(&format!("\"requests\";r={n};t=")), "{state}");
            assert_eq!(response.headers().get(header::RETRY_AFTER), None);
        }
        let response = scene.call(&acme).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "36");
        assert_eq!(response.headers()[headers::RATE_LIMIT], "\"requests\";r=0;t=36");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(String::from_utf8(body.to_vec()).unwrap().contains("retry in 36 s"));
        // A second key of the same tenant has its own count.
        assert_eq!(scene.call(&again).await.status(), 200);
        assert_eq!(scene.world.stats.snapshot().limited.requests, 1);
        scene.world.clock.advance(Duration::from_secs(36));
        assert_eq!(scene.call(&acme).await.status(), 200);
        assert_eq!(scene.call(&acme).await.status(), 429);
    }

    #[tokio::test]
    async fn a_limit_further_in_speaks_for_itself() {
        let Scene { world, rates } = scene();
        let inside = service_fn(|_: Request<Body>| async {
            let refused = Response::builder().status(429).header(headers::RATE_LIMIT, "inside");
            Ok::<_, Infallible>(refused.body(Body::empty()).unwrap())
        });
        let mut request = Request::post("/mcp").body(Body::empty()).unwrap();
        request.extensions_mut().insert(world.agent("acme").await);
        let answer = layer(rates, Arc::clone(&world.stats), inside).call(request).await.unwrap();
        assert_eq!(answer.headers()[headers::RATE_LIMIT], "inside");
    }

    #[tokio::test]
    async fn i3_a_key_whose_rate_class_is_gone_is_refused_and_told_why() {
        let class = RateClass::parse("ci").unwrap();
        let scene = scene_with(|limits| {
            limits.classes.insert(class.clone(), Rate::new(1, 60));
        });
        let mut new = scene.world.agent_key("acme");
        new.bounds.rate_class = Some(class);
        let bounded = scene.world.principal(new).await;
        assert_eq!(scene.call(&bounded).await.status(), 200);
        assert_eq!(scene.call(&bounded).await.status(), 429);
        // The same key, after the class was taken out of the settings.
        let clock: Arc<dyn Clock> = scene.world.clock.clone();
        let rates = Arc::new(Rates::new(&Limits::default(), clock));
        let refused = Scene { rates, ..scene }.call(&bounded).await;
        assert_eq!(refused.status(), 403);
        let body = axum::body::to_bytes(refused.into_body(), 10_000).await.unwrap();
        assert!(String::from_utf8(body.to_vec()).unwrap().contains("limits.classes"));
    }

    #[tokio::test]
    async fn operators_are_counted_too() {
        let scene = scene();
        let operator = scene.world.operator().await;
        for _ in 0..100 {
            assert_eq!(scene.call(&operator).await.status(), 200);
        }
        assert_eq!(scene.call(&operator).await.status(), 429);
    }

    #[tokio::test]
    async fn i3_a_request_without_a_principal_is_refused() {
        let request = Request::post("/mcp").body(Body::empty()).unwrap();
        assert_eq!(scene().send(request).await.status(), 401);
    }

    #[tokio::test]
    async fn the_control_socket_is_exempt() {
        let scene = scene();
        for _ in 0..150 {
            let mut request = Request::get("/admin/keys").body(Body::empty()).unwrap();
            let peer = Peer { surface: Surface::Control, ..Peer::plain(Peer::LOCAL) };
            request.extensions_mut().insert(Arc::new(peer));
            assert_eq!(scene.send(request).await.status(), 200);
        }
    }
}
