//! A memgate without listeners in a temporary directory: every room from the registry to the
//! stores, put together as `app` does it. Benchmarks and fuzz targets work on it.
//!
//! There is no other way to a store than the real one: a key is made, presented, decided about.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use http::{Request, request::Parts};
use memgate::{
    audit::{Event, Log, Outcome, Record, Recorder, record::Who},
    auth::{Authenticator, Means, Origin, Principal, Via},
    config::Settings,
    db::data_dir::DataDir,
    domain::{
        action::{Action, Resource},
        bounds::Bounds,
        client::ClientInfo,
        clock::{Clock, SystemClock},
        key::Role,
        memory::{Author, MemoryKind, NewMemory},
        random::OsEntropy,
        tenant::TenantLabel,
    },
    limits::rates::Rates,
    policy::{Engine, Permit},
    registry::{Registry, keyring::NewKey},
    store::{TenantStore, pool::TenantStores},
    telemetry::stats::Stats,
};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

/// Everything between a credential and a memory, for one tenant.
#[derive(Debug)]
pub struct Deployment {
    authenticator: Authenticator,
    engine: Engine,
    recorder: Recorder,
    stores: TenantStores,
    principal: Principal,
    // Dropped in this order: the lock before the directory it is in.
    _data: DataDir,
    _directory: TempDir,
}

impl Deployment {
    /// A new one, and a request of its tenant's key. Must be called within a runtime.
    pub async fn new() -> (Self, Parts) {
        Self::with(|_, _| None).await
    }

    /// One with settings that `change` makes, which may give the credential to present instead of
    /// the key; it is told of a directory for its files.
    pub async fn with(
        change: impl FnOnce(&mut Settings, &Path) -> Option<String>,
    ) -> (Self, Parts) {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        let bearer = change(&mut settings, directory.path());
        let data = DataDir::open(&directory.path().join("data")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let tasks = TaskTracker::new();
        let registry =
            Registry::open(&data, Arc::clone(&clock), Arc::new(OsEntropy), &settings.limits, &[])
                .unwrap();
        let authenticator = Authenticator::new(
            &registry,
            &settings.auth,
            settings.mcp.packs,
            Means {
                trust: None,
                rates: Arc::new(Rates::new(&settings.limits, Arc::clone(&clock))),
                stats: Arc::new(Stats::new(clock.now())),
                clock: Arc::clone(&clock),
                tasks: tasks.clone(),
            },
        )
        .unwrap();
        let tenants = Arc::clone(&registry.tenants);
        let log = Log::open(&data, &settings.audit, Arc::clone(&clock), &OsEntropy).unwrap();
        let recorder = Recorder::start(log, Arc::clone(&clock)).unwrap();
        let engine = Engine::new(&settings.policy, tenants, Arc::clone(&clock)).unwrap();
        let stores = TenantStores::new(&data, &settings.storage, clock, tasks);

        let tenant = registry.tenants.ensure(&TenantLabel::parse("acme").unwrap()).unwrap();
        let (_, secret) = registry
            .keys
            .create(NewKey {
                role: Role::Agent,
                tenant: Some(tenant),
                name: String::new(),
                packs: None,
                act_as: Vec::new(),
                bounds: Bounds::default(),
                expires_at: None,
            })
            .unwrap();
        let request = Request::builder()
            .uri("/mcp")
            .header(
                "authorization",
                format!("Bearer {}", bearer.as_deref().unwrap_or(secret.expose())),
            )
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let principal = authenticator.authenticate(&parts, network()).await.unwrap();
        let deployment = Self {
            authenticator,
            engine,
            recorder,
            stores,
            principal,
            _data: data,
            _directory: directory,
        };
        (deployment, parts)
    }

    /// Judges a request's credential.
    pub async fn authenticate(&self, parts: &Parts) -> Principal {
        self.authenticator.authenticate(parts, network()).await.unwrap()
    }

    /// Decides.
    pub fn permit(&self, action: Action) -> Permit {
        let tenant = self.principal.tenant().unwrap().id.clone();
        self.engine.authorize(&self.principal, action, Resource::Tenant(tenant)).unwrap()
    }

    /// Records a call, as `mcp::dispatch` does; nobody waits for the disk.
    pub fn record(&self, arguments: &Map<String, Value>) {
        let digests = self.recorder.digests(arguments);
        self.recorder.record(&Record {
            request: "yyk5v51fqyp24gm",
            who: Who::of(&self.principal),
            action: Some(Action::MemoryWrite.as_str()),
            arguments: Some(&digests),
            ..Record::new(Event::Call, "store_memory", Outcome::Allowed)
        });
        // The one who writes must keep up, or nothing would be measured but a queue.
        while self.recorder.status().waiting > 20_000 {
            std::thread::yield_now();
        }
    }

    /// The tenant's store, with the rights of `action`.
    pub async fn store(&self, action: Action) -> Arc<dyn TenantStore> {
        self.stores.open(self.permit(action)).await.unwrap()
    }

    /// A note of this tenant's key.
    pub fn note(&self, name: &str, text: &str) -> NewMemory {
        NewMemory {
            kind: MemoryKind::Note,
            filename: name.to_owned(),
            description: String::new(),
            content: text.to_owned(),
            response: None,
            tags: Vec::new(),
            author: Author { key: self.principal.key_id().clone(), client: ClientInfo::default() },
        }
    }
}

fn network() -> Origin<'static> {
    Origin { address: IpAddr::V4(Ipv4Addr::LOCALHOST), via: Via::Network, certificate: None }
}
