//! What a [`Permit`](crate::policy::Permit) gives: a tenant's store, cut down to what the action
//! allows, for as long as it is held.
//!
//! The pool counts leases to know who is idle. INVARIANT I2, I3: a right that an action does not
//! name below is not there; held by `i3_a_permit_gives_its_own_rights_only`.

use std::sync::Arc;

use async_trait::async_trait;

use super::TenantStore;
use crate::domain::{
    Error, Result,
    action::Action,
    memory::{Hits, Memory, MemoryId, MemoryPatch, NewMemory, Query, Tag, Usage},
};

/// One thing that may be done with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Count,
    Read,
    Write,
    Delete,
}

/// Everything that may be done with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(&'static [Right]);

impl Rights {
    /// None at all.
    pub(super) const NONE: Self = Self(&[]);

    /// The rights that `action` carries.
    pub(super) fn of(action: Action) -> Self {
        match action {
            // `health_check` asks the store whether it answers, and reads nothing.
            Action::UsageRead | Action::DemoUse => Self(&[Right::Count]),
            Action::MemoryRead | Action::ProfileRead => Self(&[Right::Count, Right::Read]),
            // A change answers with the memory as it is now, so it may read.
            Action::MemoryWrite => Self(&[Right::Count, Right::Read, Right::Write]),
            Action::MemoryDelete => Self(&[Right::Count, Right::Read, Right::Delete]),
            Action::Connect
            | Action::SessionList
            | Action::SessionEnd
            | Action::StatsRead
            | Action::RefusalRead
            | Action::AuditRead
            | Action::TenantList
            | Action::TenantCreate
            | Action::KeyList
            | Action::KeyCreate
            | Action::KeyRevoke
            | Action::KeyRotate => Self::NONE,
        }
    }
}

/// An open store and what may be done with it.
#[derive(Debug)]
pub(super) struct Lease {
    /// `None` where no right needs one: then no file is opened either.
    store: Option<Arc<dyn TenantStore>>,
    rights: Rights,
}

impl Lease {
    pub(super) fn on(store: Arc<dyn TenantStore>, rights: Rights) -> Self {
        Self { store: Some(store), rights }
    }

    /// A store that refuses everything, for actions that have nothing to do with memories.
    pub(super) fn on_nothing() -> Self {
        Self { store: None, rights: Rights::NONE }
    }

    fn allowed(&self, right: Right) -> Result<&dyn TenantStore> {
        match &self.store {
            Some(store) if self.rights.0.contains(&right) => Ok(store.as_ref()),
            _ => Err(Error::forbidden("this permission does not allow that with memories")),
        }
    }
}

#[async_trait]
impl TenantStore for Lease {
    async fn put(&self, new: NewMemory) -> Result<Memory> {
        self.allowed(Right::Write)?.put(new).await
    }

    async fn get(&self, id: &MemoryId) -> Result<Option<Memory>> {
        self.allowed(Right::Read)?.get(id).await
    }

    async fn update(&self, id: &MemoryId, patch: MemoryPatch) -> Result<Option<Memory>> {
        self.allowed(Right::Write)?.update(id, patch).await
    }

    async fn delete(&self, id: &MemoryId) -> Result<Option<Memory>> {
        self.allowed(Right::Delete)?.delete(id).await
    }

    async fn search(&self, query: Query) -> Result<Hits> {
        self.allowed(Right::Read)?.search(query).await
    }

    async fn usage(&self) -> Result<Usage> {
        self.allowed(Right::Count)?.usage().await
    }

    async fn tags(&self, prefix: &str, limit: usize) -> Result<Vec<Tag>> {
        self.allowed(Right::Read)?.tags(prefix, limit).await
    }
}
