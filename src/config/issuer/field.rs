//! The fields of `[[auth.issuer]]`, as data.

use std::{collections::BTreeMap, time::Duration};

use super::{Issuer, algorithm::AlgorithmName};
use crate::{
    config::form::{
        self, FilePath, Flag, Form, List, Optional, Raw, Text, time::Time, url::HttpsUrl,
    },
    domain::tenant::TenantLabel,
};

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is, for people.
    pub summary: &'static str,
    /// What may be written.
    pub form: &'static str,
    /// Lowest and highest value, as text.
    pub bounds: fn() -> Option<(String, String)>,
    /// Reads a value.
    pub set: fn(&mut Issuer, &Raw) -> Result<(), String>,
    /// The value as text.
    pub show: fn(&Issuer) -> String,
}

macro_rules! field {
    ($field:ident: $form:ty; $summary:literal) => {
        Field {
            name: stringify!($field),
            summary: $summary,
            form: <$form as Form>::NAME,
            bounds: || None,
            set: |issuer, raw| {
                issuer.$field = <$form as Form>::read(raw)?;
                Ok(())
            },
            show: |issuer| <$form as Form>::show(&issuer.$field),
        }
    };
    ($field:ident: $form:ty, $bounds:expr; $summary:literal) => {
        Field {
            bounds: || {
                let bounds = $bounds;
                let show = <$form as Form>::show;
                Some((show(bounds.start()), show(bounds.end())))
            },
            set: |issuer, raw| {
                let value = <$form as Form>::read(raw)?;
                issuer.$field = form::within::<$form>(value, &$bounds)?;
                Ok(())
            },
            ..field!($field: $form; $summary)
        }
    };
}

/// Every field, in the order in which people think of them.
pub const FIELDS: &[Field] = &[
    field!(issuer: Text; "its name, exactly as `iss` in its tokens says it"),
    field!(audience: Optional<Text>; "who its tokens must be for (`aud`); without it, `auth.resource`"),
    field!(accepted_audiences: List<Text>; "other names of this server that its tokens may be for"),
    field!(other_audiences: Flag; "a token may be for other services besides this one"),
    field!(jwks_url: Optional<HttpsUrl>; "where its keys are"),
    field!(discovery: Flag; "its `/.well-known/openid-configuration` says where its keys are"),
    field!(jwks_file: Optional<FilePath>; "a file with its keys, a JWK set"),
    field!(ca_file: Optional<FilePath>;
        "PEM file of the authorities to trust when fetching, instead of the public ones"),
    field!(allow_http: Flag; "an `http://` URL on a loopback host is meant: development only"),
    field!(refresh: Time, Duration::from_mins(1)..=Duration::from_hours(24);
        "keys that are older are fetched again"),
    field!(max_stale: Time, Duration::from_mins(5)..=Duration::from_hours(24 * 30);
        "keys that are older are not used any more"),
    field!(timeout: Time, Duration::from_millis(50)..=Duration::from_secs(5);
        "one fetch may take so long"),
    field!(algorithms: List<AlgorithmName>; "what its tokens may be signed with"),
    field!(types: List<Text>; "good values of `typ`; a token without one counts as `JWT`"),
    field!(leeway: Time, Duration::ZERO..=Duration::from_mins(1);
        "how far its clock may be from ours"),
    field!(max_lifetime: Time, Duration::from_mins(1)..=Duration::from_hours(24 * 31);
        "a token that lives longer is refused"),
    field!(tenant_claim: Text; "the claim that names the tenant; dots lead into objects"),
    field!(tenant_map: TenantMap; "values of that claim, and the tenants that they mean"),
    field!(tenants: List<Tenant>; "the tenants that its tokens may open; empty means any"),
    field!(create_tenants: Flag; "a tenant that is not there is made when its first token comes"),
    field!(role_claim: Optional<Text>; "the claim that can make a token an operator's"),
    field!(operator_values: List<Text>; "the values of that claim which do"),
    field!(scope_claims: List<Text>; "claims with the scopes; the first that is there counts"),
    field!(granted_scopes: List<Text>; "scopes that every token of it has"),
];

/// A tenant's label.
#[derive(Debug)]
pub struct Tenant;

impl Form for Tenant {
    type Value = TenantLabel;

    const NAME: &'static str = "tenant list";

    fn read(raw: &Raw) -> Result<TenantLabel, String> {
        TenantLabel::parse(raw.text()?).map_err(|e| format!("does not fit: {}", e.public()))
    }

    fn show(value: &TenantLabel) -> String {
        value.to_string()
    }
}

/// `{ "value" = "tenant" }`: what a claim or a certificate says, and whose it is.
#[derive(Debug)]
pub struct TenantMap;

impl Form for TenantMap {
    type Value = BTreeMap<String, TenantLabel>;

    const NAME: &'static str = "`{ \"value\" = \"tenant\" }`";

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let Raw::Pairs(pairs) = raw else {
            return Err("is not a table; write `{ \"value\" = \"tenant\" }` in the file".to_owned());
        };
        let mut map = BTreeMap::new();
        for (value, label) in pairs {
            let label = TenantLabel::parse(label).map_err(|e| {
                format!("maps `{}` to a name that does not fit: {}", form::shown(value), e.public())
            })?;
            map.insert(value.clone(), label);
        }
        Ok(map)
    }

    fn show(map: &Self::Value) -> String {
        map.iter().map(|(value, label)| format!("{value}={label}")).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_default_reads_back_and_is_in_bounds() {
        let defaults = Issuer::default();
        let mut names = BTreeSet::new();
        for field in FIELDS {
            assert!(names.insert(field.name), "{} twice", field.name);
            let shown = (field.show)(&defaults);
            if shown.is_empty() {
                continue;
            }
            let mut again = Issuer::default();
            (field.set)(&mut again, &Raw::Text(shown.clone())).unwrap();
            assert_eq!((field.show)(&again), shown, "{}", field.name);
        }
    }

    #[test]
    fn values_with_an_at_sign_are_mapped() {
        let pairs = vec![("ada@example.com".to_owned(), "ada".to_owned())];
        let map = TenantMap::read(&Raw::Pairs(pairs)).unwrap();
        assert_eq!(map["ada@example.com"].as_str(), "ada");
        let bad = vec![("x".to_owned(), "Ada".to_owned())];
        assert!(TenantMap::read(&Raw::Pairs(bad)).is_err());
        assert!(TenantMap::read(&Raw::Text("a=b".to_owned())).is_err());
    }
}
