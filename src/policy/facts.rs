//! Who asks and what for, in plain data: what a decision may depend on, and nothing else.
//!
//! INVARIANT I1: everything about the caller comes from its [`Principal`]; the only thing that a
//! request contributes is *which* action on *which* resource.

use crate::{
    auth::Principal,
    domain::{
        action::{Access, Resource},
        key::{KeyId, Role},
        pack::Packs,
        reach::Tags,
        tenant::{Tenant, TenantId, TenantLabel},
        tool::Tools,
    },
    registry::tenants::Tenants,
};

/// A caller.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The key.
    pub key: &'a KeyId,
    /// What it is for.
    pub role: Role,
    /// The tenant that it opens.
    pub tenant: Option<&'a Tenant>,
    /// Tenants that it may name besides.
    pub act_as: &'a [TenantLabel],
    /// The packs it sees.
    pub packs: Packs,
    /// The single tools that it is bounded to.
    pub tools: Option<Tools>,
    /// Whether it is bounded to reading.
    pub access: Access,
    /// The tags that it is bounded to.
    pub tags: Option<&'a Tags>,
}

impl<'a> Subject<'a> {
    /// A key of this role and nothing more.
    pub(super) fn of(key: &'a KeyId, role: Role) -> Self {
        Self {
            key,
            role,
            tenant: None,
            act_as: &[],
            packs: Packs::default(),
            tools: None,
            access: Access::Write,
            tags: None,
        }
    }
}

impl<'a> From<&'a Principal> for Subject<'a> {
    fn from(principal: &'a Principal) -> Self {
        Self {
            key: principal.key_id(),
            role: principal.role(),
            tenant: principal.tenant(),
            act_as: principal.act_as(),
            packs: principal.packs(),
            tools: principal.bounds().tools,
            access: principal.bounds().access,
            tags: principal.bounds().tags.as_ref(),
        }
    }
}

/// What is asked for, looked up.
#[derive(Debug, Clone)]
pub(super) enum Object {
    Tenant(Tenant),
    Deployment,
}

/// Where labels and ids of tenants are looked up.
pub trait Directory: std::fmt::Debug + Send + Sync {
    /// The tenant with this label.
    fn by_label(&self, label: &TenantLabel) -> Option<Tenant>;
    /// The tenant with this id.
    fn by_id(&self, id: &TenantId) -> Option<Tenant>;
}

impl Directory for Tenants {
    fn by_label(&self, label: &TenantLabel) -> Option<Tenant> {
        self.by_label(label)
    }

    fn by_id(&self, id: &TenantId) -> Option<Tenant> {
        self.by_id(id)
    }
}

impl Object {
    /// `None` for a tenant that does not exist.
    pub(super) fn find(
        resource: &Resource,
        subject: &Subject<'_>,
        tenants: &dyn Directory,
    ) -> Option<Self> {
        match (resource, subject.tenant) {
            (Resource::Deployment, _) => Some(Self::Deployment),
            (Resource::Tenant(id), Some(own)) if *id == own.id => Some(Self::Tenant(own.clone())),
            (Resource::Tenant(id), _) => tenants.by_id(id).map(Self::Tenant),
        }
    }
}
