//! The shield in front of authentication: so many requests of one address, whoever it says it is.
//!
//! `tower_governor` counts; the address is the one that `client_address` found (never a header
//! that the caller wrote), IPv6 by /64. `tower_governor` keeps every address it has seen until it
//! is told to sweep, so the shield also knows how many there are: with `limits.max_addresses` of
//! them under way, a new address gets 503 and the known ones go on (I3, I7). A request without an
//! address is refused. The local control socket is exempt: whoever opens it owns the machine.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{body::Body, response::Response};
use futures::{FutureExt, future::Either};
use governor::middleware::NoOpMiddleware;
use http::{Request, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{GovernorConfig, GovernorConfigBuilder, SharedRateLimiter},
    key_extractor::KeyExtractor,
};

use super::{Stage, client_address::ClientAddress};
use crate::{
    config::limits::Limits,
    domain::{
        Error,
        clock::Clock,
        limits::{Class, Rate},
    },
    http::{
        error::{Asker, Layer as By, Refusal},
        server::peer::{Peer, Surface},
    },
    limits::{Block, Decision, pace::Pace, shards::Shards},
    telemetry::stats::Stats,
};

/// Who has called lately, and how often.
#[derive(Debug)]
pub struct Shield {
    rate: Rate,
    known: Arc<Known>,
    config: Arc<GovernorConfig<ByBlock, NoOpMiddleware>>,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
}

impl Shield {
    /// A shield with these limits.
    ///
    /// # Errors
    /// `Internal` for a rate that `tower_governor` does not take; [`Rate::new`] makes none.
    pub fn new(
        settings: &Limits,
        clock: Arc<dyn Clock>,
        stats: Arc<Stats>,
    ) -> crate::domain::Result<Self> {
        let rate = settings.per_address;
        let known = Arc::new(Known {
            until: Shards::new(),
            most: settings.max_addresses,
            rate,
            searches: Pace::default(),
            limiter: OnceLock::new(),
        });
        let extractor = ByBlock { known: Arc::clone(&known), clock: Arc::clone(&clock) };
        let config = GovernorConfigBuilder::default()
            .period(rate.interval())
            .burst_size(rate.requests.get())
            .key_extractor(extractor)
            .finish()
            .ok_or_else(|| Error::internal("a rate of nothing for `limits.per_address`"))?;
        let _ = known.limiter.set(Arc::clone(config.limiter()));
        Ok(Self { rate, known, config: Arc::new(config), clock, stats })
    }

    /// Forgets addresses that may do everything again. Called once a minute.
    pub fn sweep(&self) {
        self.known.sweep(self.clock.monotonic());
    }

    /// Addresses remembered.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.known.until.len()
    }

    fn refusal(&self, turned: &Turned, asker: &Asker) -> Response {
        match turned {
            Turned::TooOften { wait } => {
                self.stats.limited(Class::Address);
                let decision = Decision {
                    class: Class::Address,
                    rate: self.rate,
                    allowed: false,
                    remaining: 0,
                    retry_after: *wait,
                };
                answer(&decision, asker)
            }
            Turned::NoRoom => {
                self.stats.limited(Class::Address);
                let why = "too many addresses are calling at once; retry in 5 s";
                let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why);
                refusal.retry_after(Duration::from_secs(5)).by(By::AddressLimit).answer(asker)
            }
            Turned::NoAddress => {
                Refusal::from(Error::internal("a request without an address")).answer(asker)
            }
        }
    }
}

/// A limiter's refusal as an answer.
pub(super) fn answer(decision: &Decision, asker: &Asker) -> Response {
    let layer = match decision.class {
        Class::Address => By::AddressLimit,
        _ => By::KeyLimit,
    };
    let refusal = match decision.check() {
        Err(error) => Refusal::from(error),
        Ok(()) => Refusal::from(Error::internal("a refusal that allows")),
    };
    refusal.by(layer).answer(asker)
}

/// Whether a request came by the control socket.
pub(super) fn is_local(request: &Request<Body>) -> bool {
    let peer = request.extensions().get::<Arc<Peer>>();
    peer.is_some_and(|peer| peer.surface == Surface::Control)
}

/// Turns away addresses that call too often.
pub fn layer(shield: Arc<Shield>, inner: impl Stage) -> impl Stage {
    let governed =
        GovernorLayer::new(Arc::clone(&shield.config)).error_handler(|error| turn_away(&error));
    let (mut governed, mut free) = (governed.layer(inner.clone()), inner);
    service_fn(move |request: Request<Body>| {
        if is_local(&request) {
            return Either::Left(free.call(request));
        }
        let asker = Asker::of(&request);
        let shield = Arc::clone(&shield);
        Either::Right(governed.call(request).map(move |answer| {
            answer.map(|mut response: Response| {
                match response.extensions_mut().remove::<Turned>() {
                    Some(turned) => shield.refusal(&turned, &asker),
                    None => response,
                }
            })
        }))
    })
}

/// What the shield did instead of passing a request on. `tower_governor` builds its answer
/// without seeing the request, so it only leaves this note for the layer around it.
#[derive(Debug, Clone)]
enum Turned {
    TooOften { wait: Duration },
    NoRoom,
    NoAddress,
}

fn turn_away(error: &GovernorError) -> Response {
    let turned = match error {
        // It rounds down to whole seconds; a client that came so early would be refused again.
        GovernorError::TooManyRequests { wait_time, .. } => {
            Turned::TooOften { wait: Duration::from_secs(wait_time.saturating_add(1)) }
        }
        GovernorError::Other { .. } => Turned::NoRoom,
        GovernorError::UnableToExtractKey => Turned::NoAddress,
    };
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(turned);
    response
}

/// The addresses under way, each with the moment from which it is as if it had never called.
struct Known {
    until: Shards<Block, Duration>,
    most: usize,
    rate: Rate,
    searches: Pace,
    limiter: OnceLock<SharedRateLimiter<Block, NoOpMiddleware>>,
}

impl Known {
    /// Whether this address is known or there is room for it.
    fn admit(&self, block: Block, now: Duration) -> bool {
        self.enter(block, now)
            || (self.searches.due(now) && {
                self.sweep(now);
                self.enter(block, now)
            })
    }

    fn enter(&self, block: Block, now: Duration) -> bool {
        // One interval more than the bucket needs to be full, so that nobody is forgotten here
        // before `retain_recent` forgets it there.
        let (interval, full) = (self.rate.interval(), self.rate.window);
        self.until.with(&block, |known| match known.get_mut(&block) {
            Some(until) => {
                *until = (*until + interval).min(now + full + interval);
                true
            }
            None if self.until.len() < self.most => {
                known.insert(block, now + interval + interval);
                true
            }
            None => false,
        })
    }

    fn sweep(&self, now: Duration) {
        self.until.retain(|_, until| *until > now);
        if let Some(limiter) = self.limiter.get() {
            limiter.retain_recent();
        }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} of {})", self.until.len(), self.most)
    }
}

/// Reads the address that an outer layer found.
#[derive(Debug, Clone)]
struct ByBlock {
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
}

impl KeyExtractor for ByBlock {
    type Key = Block;

    fn extract<T>(&self, request: &Request<T>) -> Result<Block, GovernorError> {
        let address = request.extensions().get::<ClientAddress>();
        let block = Block::from(address.ok_or(GovernorError::UnableToExtractKey)?.0);
        if self.known.admit(block, self.clock.monotonic()) {
            return Ok(block);
        }
        Err(GovernorError::Other {
            code: StatusCode::SERVICE_UNAVAILABLE,
            msg: None,
            headers: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::IpAddr};

    use http::header;
    use jiff::Timestamp;

    use super::*;
    use crate::{domain::clock::ManualClock, limits::headers};

    /// A shield for `requests` an hour of at most `most` addresses, around a route that answers.
    struct Scene {
        shield: Arc<Shield>,
        clock: Arc<ManualClock>,
    }

    fn scene(requests: u32, most: usize) -> Scene {
        let settings = Limits {
            per_address: Rate::new(requests, 3600),
            max_addresses: most,
            ..Limits::default()
        };
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let stats = Arc::new(Stats::new(Timestamp::UNIX_EPOCH));
        let shield = Arc::new(Shield::new(&settings, clock.clone(), stats).unwrap());
        Scene { shield, clock }
    }

    impl Scene {
        async fn send(&self, request: Request<Body>) -> Response {
            let route = service_fn(|_: Request<Body>| async {
                Ok::<_, Infallible>(Response::new(Body::from("reached")))
            });
            layer(Arc::clone(&self.shield), route).call(request).await.unwrap()
        }

        async fn call(&self, from: &str) -> Response {
            let mut request = Request::get("/admin/keys").body(Body::empty()).unwrap();
            request.extensions_mut().insert(ClientAddress(from.parse::<IpAddr>().unwrap()));
            self.send(request).await
        }

        async fn status(&self, from: &str) -> u16 {
            self.call(from).await.status().as_u16()
        }
    }

    #[tokio::test]
    async fn the_request_after_the_last_is_refused_and_others_are_not() {
        let scene = scene(100, 10);
        for _ in 0..100 {
            assert_eq!(scene.status("192.0.2.1").await, 200);
        }
        for _ in 0..3 {
            assert_eq!(scene.status("192.0.2.1").await, 429);
        }
        assert_eq!(scene.status("192.0.2.2").await, 200);
        assert_eq!(scene.shield.stats.snapshot().limited.address, 3);
    }

    #[tokio::test]
    async fn a_refusal_says_when_to_come_back_in_header_and_body() {
        let scene = scene(1, 10);
        scene.call("192.0.2.1").await;
        let response = scene.call("192.0.2.1").await;
        assert_eq!(response.headers()[header::RETRY_AFTER], "3600");
        assert_eq!(response.headers()[headers::RATE_LIMIT_POLICY], r#""address";q=1;w=3600"#);
        assert_eq!(response.headers()[headers::RATE_LIMIT], r#""address";r=0;t=3600"#);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("retry in 3600 s"), "{body}");
    }

    #[tokio::test]
    async fn one_ipv6_customer_is_one_caller() {
        let scene = scene(2, 10);
        assert_eq!(scene.status("2001:db8::1").await, 200);
        assert_eq!(scene.status("2001:db8::2").await, 200);
        assert_eq!(scene.status("2001:db8::3").await, 429);
        assert_eq!(scene.status("2001:db8:0:1::3").await, 200);
    }

    #[tokio::test]
    async fn i7_a_flood_of_addresses_is_bounded_and_known_callers_go_on() {
        let scene = scene(100, 3);
        for n in 1..=3 {
            assert_eq!(scene.status(&format!("192.0.2.{n}")).await, 200);
        }
        for n in 0..200_u32 {
            let address = IpAddr::from((0xc633_6400 + n).to_be_bytes()).to_string();
            let response = scene.call(&address).await;
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        }
        assert_eq!(scene.shield.addresses(), 3);
        assert_eq!(scene.shield.config.limiter().len(), 3);
        assert_eq!(scene.status("192.0.2.2").await, 200);
        // Later the idle ones make room; the counts are on the clock of this process.
        scene.clock.advance(Duration::from_hours(2));
        assert_eq!(scene.status("198.51.100.1").await, 200);
        assert_eq!(scene.shield.addresses(), 1);
    }

    #[tokio::test]
    async fn i3_a_request_without_an_address_is_refused() {
        let request = Request::get("/health").body(Body::empty()).unwrap();
        assert_eq!(scene(10, 10).send(request).await.status(), 500);
    }

    #[tokio::test]
    async fn the_control_socket_is_exempt() {
        let scene = scene(1, 10);
        for _ in 0..5 {
            let mut request = Request::get("/admin/keys").body(Body::empty()).unwrap();
            let peer = Peer { surface: Surface::Control, ..Peer::plain(Peer::LOCAL) };
            request.extensions_mut().insert(Arc::new(peer));
            request.extensions_mut().insert(ClientAddress(Peer::LOCAL));
            assert_eq!(scene.send(request).await.status(), 200);
        }
        assert_eq!(scene.shield.addresses(), 0);
    }

    #[tokio::test]
    async fn a_sweep_forgets_who_is_idle() {
        let scene = scene(3600, 10);
        scene.call("192.0.2.1").await;
        scene.shield.sweep();
        assert_eq!(scene.shield.addresses(), 1);
        scene.clock.advance(Duration::from_secs(2));
        scene.shield.sweep();
        assert_eq!(scene.shield.addresses(), 0);
    }
}
