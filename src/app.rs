//! The composition root: builds everything, runs, reloads, drains.
//!
//! Nothing else knows every room. [`App::open`] builds from the ground up (data directory,
//! registry, limits, auth, policy, stores, tools, MCP, listeners) and binds; [`App::run`] serves
//! until it is told to stop, and returns when nothing of it runs any more (I12).

mod control;
mod disk_watch;
mod housekeeping;
pub mod posture;
pub mod process;
mod run;
mod signals;

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
};

use tokio_util::task::TaskTracker;

pub use self::control::Control;
use crate::{
    audit::{Record, Recorder},
    auth::{self, Authenticator},
    config::{
        Settings,
        posture::{Report, Settled},
    },
    db::data_dir::DataDir,
    domain::{Result, action::Action, key::KeyId, random::Entropy},
    http::{
        health::Readiness,
        layers::{address_limit::Shield, request_id::RequestIds},
        server::{Bound, Stop, bind, peer::Surface},
        state::State,
        tls::Certificates,
    },
    limits::{places::Places, rates::Rates},
    mcp::{
        dispatch::{self, Dispatch},
        gateway::{self, Gateway},
        handler::MemoryHandlers,
        services::Handlers,
    },
    policy::Engine,
    registry::Registry,
    store::pool::TenantStores,
    telemetry::stats::Stats,
    tools::catalogue::Catalogue,
};

/// A memgate whose listeners are bound.
#[derive(Debug)]
pub struct App {
    state: Arc<State>,
    stores: Arc<TenantStores>,
    bound: Bound,
    stop: Stop,
    tasks: TaskTracker,
    /// Held for the lock on the directory.
    data: DataDir,
}

/// What a set of handlers may be built from.
#[derive(Debug)]
pub struct Parts {
    /// What is set.
    pub settings: Arc<Settings>,
    /// The one place where a tool is called.
    pub dispatch: Dispatch,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl App {
    /// Opens everything in the data directory that `control` holds, and binds the listeners.
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// Whatever stands in the way: a policy that does not validate, a certificate that cannot be
    /// read, an address that is taken.
    pub async fn open(settings: Settings, control: Control) -> Result<Self> {
        Self::open_with(settings, control, |parts| {
            MemoryHandlers::new(parts.dispatch, &parts.settings, parts.entropy.as_ref())
        })
        .await
    }

    /// [`open`](Self::open) with other handlers behind the same layers: how the conformance
    /// suite's own tools are served by the real stack.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with<H: Handlers>(
        settings: Settings,
        control: Control,
        handlers: impl FnOnce(Parts) -> H,
    ) -> Result<Self> {
        let settings = Arc::new(settings);
        let Control { data, registry, audit, clock, entropy } = control;
        let log = audit.into_inner().unwrap_or_else(PoisonError::into_inner);
        let audit = Arc::new(Recorder::start(log, Arc::clone(&clock))?);
        let (tasks, stop) = (TaskTracker::new(), Stop::default());
        let stats = Arc::new(Stats::new(clock.now()));
        let shield =
            Arc::new(Shield::new(&settings.limits, Arc::clone(&clock), Arc::clone(&stats))?);
        let rates = Arc::new(Rates::new(&settings.limits, Arc::clone(&clock)));
        let places = Arc::new(Places::new(&settings.limits));
        let certificates = load_certificates(&settings)?;
        let authenticator = Authenticator::new(
            &registry,
            &settings.auth,
            settings.mcp.packs,
            auth::Means {
                trust: certificates.as_ref().and_then(|certificates| certificates.trust()),
                rates: Arc::clone(&rates),
                stats: Arc::clone(&stats),
                clock: Arc::clone(&clock),
                tasks: tasks.clone(),
            },
        )?;
        let engine = Arc::new(Engine::new(
            &settings.policy,
            Arc::clone(&registry.tenants),
            Arc::clone(&clock),
        )?);
        let stores = Arc::new(TenantStores::new(
            &data,
            &settings.storage,
            Arc::clone(&clock),
            tasks.clone(),
        ));
        let dispatch = Dispatch::new(
            Catalogue::new(),
            &settings,
            dispatch::Means {
                engine: Arc::clone(&engine),
                stores: Arc::clone(&stores),
                rates: Arc::clone(&rates),
                tenants: Arc::clone(&registry.tenants),
                stats: Arc::clone(&stats),
                audit: Arc::clone(&audit),
                clock: Arc::clone(&clock),
            },
        );
        let handlers = handlers(Parts {
            settings: Arc::clone(&settings),
            dispatch,
            entropy: Arc::clone(&entropy),
        });
        let endpoint = Gateway::new(
            handlers,
            &settings,
            gateway::Means {
                ledger: Arc::clone(&registry.ledger),
                places: Arc::clone(&places),
                clock: Arc::clone(&clock),
                tasks: tasks.clone(),
                stop: stop.streams.clone(),
            },
        );
        let socket = data.paths().control_socket();
        let bound = bind(&settings.listen, Some(&socket), certificates.clone()).await?;
        let state = State {
            authenticator: Arc::new(authenticator),
            engine,
            audit,
            registry,
            shield,
            rates,
            places,
            stores: Arc::clone(&stores),
            endpoint: Arc::new(endpoint),
            stats,
            readiness: Arc::default(),
            request_ids: Arc::new(RequestIds::new(entropy)),
            certificates,
            posture: Arc::default(),
            clock,
            tasks: tasks.clone(),
            settings,
        };
        Ok(Self { state: Arc::new(state), stores, bound, stop, tasks, data })
    }

    /// Where the public listener listens, with the real port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.bound.address(Surface::Public)
    }

    /// Tenants, keys and sessions of this deployment.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.state.registry
    }

    /// Records that the start made these keys.
    ///
    /// # Errors
    /// `Unavailable` when the record cannot be written.
    pub async fn record_made(&self, keys: impl IntoIterator<Item = &KeyId>) -> Result<()> {
        for key in keys {
            let record = Record::command(Action::KeyCreate, Some(key.as_str()), &Ok(()));
            self.state.audit.record_durably(&record).written().await?;
        }
        Ok(())
    }

    /// Says what is known about the settings, and looks at everything else for the first time.
    /// Reads files: for the start and the blocking pool.
    #[must_use]
    pub fn settle_posture(&self, settled: Settled) -> Arc<Report> {
        self.state.posture.settle(settled);
        housekeeping::look_at_posture(&self.state);
        self.state.posture.report()
    }

    /// Whether traffic is welcome.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.state.readiness
    }
}

fn load_certificates(settings: &Settings) -> Result<Option<Arc<Certificates>>> {
    let tls = settings.listen.tls.as_ref();
    tls.map(|tls| Certificates::load(tls, settings.listen.http2).map(Arc::new)).transpose()
}
