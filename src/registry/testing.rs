//! A control plane for this room's unit tests: restarts, a clock that stands still, and a disk
//! that can be told to fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use jiff::Timestamp;
use tempfile::TempDir;

use super::{
    Registry,
    control::{ControlStore, Loaded, TagKey},
    keyring::{NewKey, Proof},
    ledger::Totals,
    sqlite::SqliteControl,
};
use crate::{
    config::limits::Limits,
    db::data_dir::DataDir,
    domain::{
        Error, Result,
        bounds::Bounds,
        clock::{Clock, ManualClock},
        key::{KeyId, KeyRecord, Role},
        last_use::LastUse,
        random::OsEntropy,
        tenant::{Tenant, TenantLabel},
    },
};

/// One data directory, opened as often as a test wants.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) clock: Arc<ManualClock>,
    pub(super) limits: Limits,
    pub(super) disk: Arc<Disk>,
    _data_dir: DataDir,
    _directory: TempDir,
}

impl Deployment {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
        let control = SqliteControl::open(&data_dir, clock.clone()).unwrap();
        let disk = Disk { control, broken: AtomicBool::new(false), writes: AtomicU64::new(0) };
        Self {
            clock,
            limits: Limits::default(),
            disk: Arc::new(disk),
            _data_dir: data_dir,
            _directory: directory,
        }
    }

    /// As a process that starts now.
    pub(super) fn start(&self) -> Registry {
        let disk = Arc::clone(&self.disk);
        Registry::over(disk, self.clock.clone(), Arc::new(OsEntropy), &self.limits, &[]).unwrap()
    }
}

/// What a plain agent key of this tenant is made of.
pub(super) fn agent(registry: &Registry, label: &str) -> NewKey {
    NewKey {
        role: Role::Agent,
        tenant: Some(registry.tenants.ensure(&TenantLabel::parse(label).unwrap()).unwrap()),
        name: "laptop".to_owned(),
        packs: None,
        act_as: Vec::new(),
        bounds: Bounds::default(),
        expires_at: None,
    }
}

/// SQLite, until it is told to be broken.
#[derive(Debug)]
pub(super) struct Disk {
    control: SqliteControl,
    broken: AtomicBool,
    writes: AtomicU64,
}

impl Disk {
    pub(super) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    /// Writes so far.
    pub(super) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn write(&self) -> Result<&SqliteControl> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            Err(Error::unavailable("the disk is told to be broken"))
        } else {
            Ok(&self.control)
        }
    }
}

impl ControlStore for Disk {
    fn load(&self, fresh: &TagKey, now: Timestamp) -> Result<Loaded> {
        self.control.load(fresh, now)
    }

    fn insert_tenant(&self, tenant: &Tenant) -> Result<()> {
        self.write()?.insert_tenant(tenant)
    }

    fn insert_key(&self, record: &KeyRecord, proof: &Proof) -> Result<()> {
        self.write()?.insert_key(record, proof)
    }

    fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<()> {
        self.write()?.revoke_key(id, at)
    }

    fn rotate_key(&self, id: &KeyId, proof: &Proof, end: Timestamp) -> Result<()> {
        self.write()?.rotate_key(id, proof, end)
    }

    fn save_uses(&self, uses: &[(KeyId, LastUse)]) -> Result<()> {
        self.write()?.save_uses(uses)
    }

    fn save_totals(&self, totals: &Totals) -> Result<()> {
        self.write()?.save_totals(totals)
    }
}

/// The clock's present, for tests that hold a [`Deployment`].
pub(super) fn now(deployment: &Deployment) -> Timestamp {
    deployment.clock.now()
}
