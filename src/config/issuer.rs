//! `[[auth.issuer]]`: whose tokens are good, and what their claims mean here.
//!
//! A table for each issuer, any number of them, in the file only: a list of tables has no
//! sensible name in the environment. Every field is a row of [`FIELDS`], which feeds loading,
//! `config show` and the reference alike. What a field means to a token is the business of
//! `auth::token`.

pub mod algorithm;
mod field;
mod safety;
pub mod table;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub(in crate::config) use self::safety::check;
pub use self::{
    algorithm::Algorithm,
    field::{FIELDS, Field, Tenant, TenantMap},
    table::ISSUER as KEY,
};
use super::form::url::Url;
use crate::domain::tenant::TenantLabel;

/// One issuer of tokens.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a line of the file")]
pub struct Issuer {
    /// Its name: exactly what `iss` says.
    pub issuer: String,
    /// Who its tokens must be for; `None` means `auth.resource`.
    pub audience: Option<String>,
    /// Other names of ours that its tokens may be for.
    pub accepted_audiences: Vec<String>,
    /// A token may be for others besides us.
    pub other_audiences: bool,
    /// A file with its keys.
    pub jwks_file: Option<PathBuf>,
    /// Where its keys are.
    pub jwks_url: Option<Url>,
    /// Its discovery document says where its keys are.
    pub discovery: bool,
    /// The certificates to trust when fetching, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// `http://` on a loopback host is meant.
    pub allow_http: bool,
    /// A set of keys that is older is fetched again.
    pub refresh: Duration,
    /// A set of keys that is older is not used any more.
    pub max_stale: Duration,
    /// One fetch may take so long.
    pub timeout: Duration,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Good values of `typ`; a token without one counts as `JWT`.
    pub types: Vec<String>,
    /// How far its clock may be from ours.
    pub leeway: Duration,
    /// A token that lives longer is refused.
    pub max_lifetime: Duration,
    /// Which claim names the tenant.
    pub tenant_claim: String,
    /// Values of that claim, and the tenants they mean.
    pub tenant_map: BTreeMap<String, TenantLabel>,
    /// The tenants that its tokens may open; empty means any.
    pub tenants: Vec<TenantLabel>,
    /// A tenant that is not there is made when the first token for it comes.
    pub create_tenants: bool,
    /// Which claim may make a token an operator's.
    pub role_claim: Option<String>,
    /// The values of that claim which do.
    pub operator_values: Vec<String>,
    /// Which claims hold the scopes; the first that is there counts.
    pub scope_claims: Vec<String>,
    /// Scopes that every token of it has.
    pub granted_scopes: Vec<String>,
}

impl Default for Issuer {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: None,
            accepted_audiences: Vec::new(),
            other_audiences: false,
            jwks_file: None,
            jwks_url: None,
            discovery: false,
            ca_file: None,
            allow_http: false,
            refresh: Duration::from_mins(15),
            max_stale: Duration::from_hours(24),
            timeout: Duration::from_secs(5),
            algorithms: vec![Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256],
            types: vec!["JWT".to_owned(), "at+jwt".to_owned()],
            leeway: Duration::from_secs(5),
            max_lifetime: Duration::from_hours(24),
            tenant_claim: "tenant".to_owned(),
            tenant_map: BTreeMap::new(),
            tenants: Vec::new(),
            create_tenants: false,
            role_claim: None,
            operator_values: Vec::new(),
            scope_claims: vec!["scope".to_owned(), "scp".to_owned()],
            granted_scopes: Vec::new(),
        }
    }
}
