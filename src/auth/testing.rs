//! A small deployment for unit tests: the only way there to a [`Principal`] is the real one.
//!
//! Tests of other rooms get their principals here, by making a tenant and a key and
//! authenticating with it, so that no test ever stands on a proof that the program could not
//! have made.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, request::Parts};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::{Authenticator, Means, Origin, Principal, Via};
use crate::{
    config::Settings,
    db::data_dir::DataDir,
    domain::{
        Result,
        bounds::Bounds,
        clock::{Clock, ManualClock},
        key::Role,
        random::OsEntropy,
        secret::Secret,
        tenant::{Tenant, TenantLabel},
    },
    limits::rates::Rates,
    registry::{
        Registry,
        keyring::{Key, NewKey},
    },
    telemetry::stats::Stats,
};

/// A registry in a temporary directory, an authenticator over it, and a clock that stands still.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) settings: Settings,
    pub(crate) stats: Arc<Stats>,
    // Dropped in this order: the lock before the directory it is in.
    pub(crate) data_dir: Arc<DataDir>,
    _directory: TempDir,
}

impl World {
    /// With the default settings.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With settings changed by `change`.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let directory = tempfile::tempdir().unwrap();
        let data_dir = Arc::new(DataDir::open(&directory.path().join("data")).unwrap());
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let registry = open(&data_dir, &settings, &shared);
        let stats = Arc::new(Stats::new(clock.now()));
        let authenticator = Arc::new(authenticator(&registry, &settings, &stats, &shared));
        Self { registry, authenticator, clock, settings, stats, data_dir, _directory: directory }
    }

    /// The tenant with this label, made when it is missing.
    pub(crate) fn tenant(&self, label: &str) -> Tenant {
        self.registry.tenants.ensure(&TenantLabel::parse(label).unwrap()).unwrap()
    }

    /// What a plain agent key of this tenant is made of.
    pub(crate) fn agent_key(&self, label: &str) -> NewKey {
        NewKey {
            role: Role::Agent,
            tenant: Some(self.tenant(label)),
            name: String::new(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            expires_at: None,
        }
    }

    /// Makes a key.
    pub(crate) fn key(&self, new: NewKey) -> (Arc<Key>, Secret) {
        self.registry.keys.create(new).unwrap()
    }

    /// Makes a key and authenticates with it.
    pub(crate) async fn principal(&self, new: NewKey) -> Principal {
        let (_, secret) = self.key(new);
        self.authenticate(secret.expose()).await.unwrap()
    }

    /// An agent of this tenant, with a key of its own.
    pub(crate) async fn agent(&self, label: &str) -> Principal {
        self.principal(self.agent_key(label)).await
    }

    /// An operator.
    pub(crate) async fn operator(&self) -> Principal {
        let new = NewKey {
            role: Role::Operator,
            tenant: None,
            name: String::new(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            expires_at: None,
        };
        self.principal(new).await
    }

    /// Presents `key` as a bearer token, from 127.0.0.1.
    pub(crate) async fn authenticate(&self, key: &str) -> Result<Principal> {
        let parts = parts(&[("authorization", &format!("Bearer {key}"))]);
        self.authenticator.authenticate(&parts, network()).await
    }

    /// The authenticator of a process that starts now on the same data directory.
    pub(crate) fn restarted(&self) -> Authenticator {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let registry = open(&self.data_dir, &self.settings, &clock);
        authenticator(&registry, &self.settings, &self.stats, &clock)
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn open(data_dir: &DataDir, settings: &Settings, clock: &Arc<dyn Clock>) -> Registry {
    let keys = &settings.auth.environment_keys;
    Registry::open(data_dir, Arc::clone(clock), Arc::new(OsEntropy), &settings.limits, keys)
        .unwrap()
}

fn authenticator(
    registry: &Registry,
    settings: &Settings,
    stats: &Arc<Stats>,
    clock: &Arc<dyn Clock>,
) -> Authenticator {
    let rates = Arc::new(Rates::new(&settings.limits, Arc::clone(clock)));
    let means = Means {
        trust: None,
        rates,
        stats: Arc::clone(stats),
        clock: Arc::clone(clock),
        tasks: TaskTracker::new(),
    };
    Authenticator::new(registry, &settings.auth, settings.mcp.packs, means).unwrap()
}

/// A request to `/mcp` with these headers.
pub(crate) fn parts(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// From 127.0.0.1.
pub(crate) fn network() -> Origin<'static> {
    Origin { address: IpAddr::V4(Ipv4Addr::LOCALHOST), via: Via::Network, certificate: None }
}

/// What a test does between the end of argon2 and the moment the key is remembered.
#[derive(Default)]
pub(in crate::auth) struct Between(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Between {
    pub(in crate::auth) fn set(&self, action: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(action));
    }

    pub(in crate::auth) fn pass(&self) {
        let action = self.0.lock().unwrap().take();
        if let Some(action) = action {
            action();
        }
    }
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}
