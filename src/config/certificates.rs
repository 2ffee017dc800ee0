//! `[auth.certificates]`: what a client certificate means here.
//!
//! Which certificates are good is said beside the listener's own
//! ([`listen.tls`](super::listen::Tls)); here is whose memory a good one opens. Exact values are
//! mapped, or one pattern cuts the tenant out of them; nothing else does.

mod name;
mod pattern;
mod safety;

use std::collections::BTreeMap;

pub(in crate::config) use self::safety::check;
pub use self::{
    name::{NameKind, Use},
    pattern::Pattern,
};
use super::{
    form::{Flag, Form, List, Optional, Text},
    issuer::{Tenant, TenantMap},
    mcp::PackNames,
    setting::Setting,
};
use crate::domain::{pack::Packs, tenant::TenantLabel};

/// `[auth.certificates]`
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// Whether a certificate is the credential, or stands beside one.
    pub how: Use,
    /// Which of its names counts.
    pub tenant_from: NameKind,
    /// What such a name looks like around the tenant's.
    pub tenant_pattern: Option<Pattern>,
    /// Names, and the tenants they mean.
    pub tenant_map: BTreeMap<String, TenantLabel>,
    /// The tenants that certificates may open; empty means any.
    pub tenants: Vec<TenantLabel>,
    /// A tenant that is not there is made when the first certificate for it comes.
    pub create_tenants: bool,
    /// Names that are an operator's.
    pub operator_values: Vec<String>,
    /// The packs that a certificate alone sees; `None` means the deployment's default.
    pub packs: Option<Packs>,
}

impl Certificates {
    /// Whether any certificate can mean anything.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.tenant_pattern.is_some()
            || !self.tenant_map.is_empty()
            || !self.operator_values.is_empty()
    }
}

macro_rules! row {
    ($name:literal, $field:ident: $form:ty; $summary:literal) => {
        Setting {
            key: concat!("auth.certificates.", $name),
            summary: $summary,
            form: <$form as Form>::NAME,
            bounds: || None,
            secret: false,
            set: |settings, raw| {
                settings.auth.certificates.$field = <$form as Form>::read(raw)?;
                Ok(())
            },
            show: |settings| <$form as Form>::show(&settings.auth.certificates.$field),
        }
    };
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    row!("use", how: Use;
        "whether a client certificate is the credential, or is asked for beside a key"),
    row!("tenant_from", tenant_from: NameKind; "the name in a client certificate that counts"),
    row!("tenant_pattern", tenant_pattern: Optional<Pattern>;
        "what that name looks like, with `{tenant}` where the tenant's stands"),
    row!("tenant_map", tenant_map: TenantMap; "exact values of that name, and their tenants"),
    row!("tenants", tenants: List<Tenant>;
        "the tenants that client certificates may open; empty means any"),
    row!("create_tenants", create_tenants: Flag;
        "a tenant that is not there is made when its first certificate comes"),
    row!("operator_values", operator_values: List<Text>; "exact values of that name that are operators"),
    row!("packs", packs: Optional<PackNames>; "tool packs that a certificate alone sees"),
];
