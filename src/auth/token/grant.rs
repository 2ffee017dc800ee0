//! What a verified token grants: a tenant or the operator's role, and scopes.
//!
//! INVARIANT I1: the tenant follows from the claim that the settings name, and from nothing
//! else. A value is mapped, or is itself the name of a tenant, or is refused; it is never cleaned
//! up, so two values can never fall together by accident.

use serde_json::Value;

use super::{
    rules::Rules,
    text::{Claims, texts},
};
use crate::domain::{
    key::Role,
    scope::{Scope, Scopes},
    tenant::TenantLabel,
};

/// What a token grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Agent, or operator where the settings map a role.
    pub role: Role,
    /// The tenant of an agent.
    pub tenant: Option<TenantLabel>,
    /// Its scopes.
    pub scopes: Scopes,
}

/// Why a good token grants nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// The claim is not there, or is no text.
    NoClaim,
    /// Its value is not mapped, and no tenant can be called that.
    NoTenant,
    /// This issuer's tokens may not open that tenant.
    NotAllowed,
}

impl Nothing {
    /// For the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoClaim => "the claim in `tenant_claim` is not there or is no text",
            Self::NoTenant => "its tenant is not in `tenant_map` and is no tenant's name",
            Self::NotAllowed => "its tenant is not in `tenants`, or is reached by mapping only",
        }
    }
}

impl Grant {
    /// What these claims of a verified token grant.
    ///
    /// # Errors
    /// Why they grant nothing.
    pub fn of(claims: &Claims, rules: &Rules) -> Result<Self, Nothing> {
        let scopes = scopes(claims, rules);
        if is_operator(claims, rules) {
            return Ok(Self { role: Role::Operator, tenant: None, scopes });
        }
        let tenant = tenant(claims, rules)?;
        Ok(Self { role: Role::Agent, tenant: Some(tenant), scopes })
    }
}

fn tenant(claims: &Claims, rules: &Rules) -> Result<TenantLabel, Nothing> {
    let rules = &rules.issuer;
    let Some(Value::String(value)) = claims.find(&rules.tenant_claim) else {
        return Err(Nothing::NoClaim);
    };
    let label = if let Some(label) = rules.tenant_map.get(value) {
        label.clone()
    } else {
        let label = TenantLabel::parse(value).map_err(|_| Nothing::NoTenant)?;
        // SECURITY: where `ada@example.com` is `ada`, somebody who is just called `ada` is not.
        // Test: `i1_a_mapped_tenant_is_reached_through_the_map_alone`.
        if rules.tenant_map.values().any(|mapped| *mapped == label) {
            return Err(Nothing::NotAllowed);
        }
        label
    };
    if !rules.tenants.is_empty() && !rules.tenants.contains(&label) {
        return Err(Nothing::NotAllowed);
    }
    Ok(label)
}

fn is_operator(claims: &Claims, rules: &Rules) -> bool {
    let rules = &rules.issuer;
    let Some(claim) = rules.role_claim.as_ref().and_then(|path| claims.find(path)) else {
        return false;
    };
    match claim {
        Value::String(role) => rules.operator_values.contains(role),
        Value::Array(roles) => texts(roles)
            .is_some_and(|roles| roles.iter().any(|role| rules.operator_values.contains(role))),
        _ => false,
    }
}

/// A text with spaces between, or a list; a claim of another type grants nothing.
fn scopes(claims: &Claims, rules: &Rules) -> Scopes {
    let claim = rules.issuer.scope_claims.iter().find_map(|path| claims.find(path));
    let list = match claim {
        Some(Value::String(text)) => text.split(' ').map(str::to_owned).collect(),
        Some(Value::Array(list)) => texts(list).unwrap_or_default(),
        _ => Vec::new(),
    };
    let has = |name: &String| list.contains(name) || rules.issuer.granted_scopes.contains(name);
    Scope::ALL
        .into_iter()
        .zip(&rules.scopes)
        .filter(|(_, name)| has(name))
        .fold(Scopes::NONE, |all, (scope, _)| all.with(scope))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        auth::token::{testing::unsigned, text::Token},
        config::{auth::Auth, issuer::Issuer},
    };

    fn label(text: &str) -> TenantLabel {
        TenantLabel::parse(text).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "claims are made where they are judged")]
    fn granted(issuer: &Issuer, claims: Value) -> Result<Grant, Nothing> {
        let mut all = json!({"iss": "i", "sub": "u", "aud": "a", "exp": 9});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let text = unsigned(&json!({"alg": "ES256"}), &all);
        Grant::of(&Token::read(&text).unwrap().claims, &Rules::new(issuer, &Auth::default()))
    }

    #[test]
    fn i1_a_claim_that_is_no_tenants_name_is_refused_and_never_cleaned_up() {
        let issuer = Issuer::default();
        let tenant = |value| granted(&issuer, json!({"tenant": value})).map(|g| g.tenant);
        assert_eq!(tenant(json!("acme")), Ok(Some(label("acme"))));
        for bad in ["../b", "ACME", " acme", "acme ", "", "ac me", "a@b", "acme\u{0}", "\u{e4}"] {
            assert_eq!(tenant(json!(bad)), Err(Nothing::NoTenant), "{bad:?}");
        }
        for bad in [json!(["acme"]), json!(5), json!(null), json!({"a": 1}), json!(true)] {
            assert_eq!(tenant(bad.clone()), Err(Nothing::NoClaim), "{bad}");
        }
        assert_eq!(granted(&issuer, json!({})), Err(Nothing::NoClaim), "no default tenant");
    }

    #[test]
    fn i1_a_mapped_tenant_is_reached_through_the_map_alone() {
        let issuer = Issuer {
            tenant_claim: "sub".to_owned(),
            tenant_map: [("ada@example.com".to_owned(), label("ada"))].into(),
            ..Issuer::default()
        };
        let tenant = |sub: &str| granted(&issuer, json!({"sub": sub})).map(|g| g.tenant);
        assert_eq!(tenant("ada@example.com"), Ok(Some(label("ada"))));
        assert_eq!(tenant("ada"), Err(Nothing::NotAllowed));
        assert_eq!(tenant("ADA@example.com"), Err(Nothing::NoTenant));
        assert_eq!(tenant("bob"), Ok(Some(label("bob"))));
        let bound = Issuer { tenants: vec![label("ada")], ..issuer };
        let tenant = |sub: &str| granted(&bound, json!({"sub": sub})).map(|g| g.tenant);
        assert_eq!(tenant("ada@example.com"), Ok(Some(label("ada"))));
        assert_eq!(tenant("bob"), Err(Nothing::NotAllowed));
    }

    #[test]
    fn i3_an_operator_is_one_by_mapping_only() {
        let plain = Issuer::default();
        let claims = json!({"roles": ["operator", "admin"], "role": "operator", "tenant": "acme"});
        assert_eq!(granted(&plain, claims.clone()).unwrap().role, Role::Agent);
        let mapped = Issuer {
            role_claim: Some("realm.roles".to_owned()),
            operator_values: vec!["memgate-operator".to_owned()],
            ..Issuer::default()
        };
        assert_eq!(granted(&mapped, claims).unwrap().role, Role::Agent);
        for (roles, role) in [
            (json!(["x", "memgate-operator"]), Role::Operator),
            (json!("memgate-operator"), Role::Operator),
            (json!("memgate-operator x"), Role::Agent),
            (json!(["memgate-operator", 5]), Role::Agent),
            (json!({"memgate-operator": true}), Role::Agent),
        ] {
            let grant = granted(&mapped, json!({"realm": {"roles": roles}, "tenant": "acme"}));
            let grant = grant.unwrap();
            assert_eq!(grant.role, role, "{roles}");
            assert_eq!(grant.tenant.is_none(), role == Role::Operator);
        }
    }

    #[test]
    fn scopes_come_as_a_text_or_a_list_and_are_exact() {
        let issuer = Issuer::default();
        let (r, w) = (Scopes::NONE.with(Scope::Read), Scopes::NONE.with(Scope::Write));
        let write = w.with(Scope::Delete);
        for (claims, scopes) in [
            (json!({"scope": "memgate:read openid"}), r),
            (json!({"scope": "openid memgate:write"}), write),
            (json!({"scp": ["memgate:read", "memgate:write"]}), Scopes::ALL),
            (json!({"scp": "memgate:read"}), r),
            (json!({"scope": "", "scp": "memgate:read"}), Scopes::NONE),
            (json!({"scope": "memgate:reader"}), Scopes::NONE),
            (json!({"scope": "MEMGATE:READ"}), Scopes::NONE),
            (json!({"scope": "memgate:read,memgate:write"}), Scopes::NONE),
            (json!({"scope": 5}), Scopes::NONE),
            (json!({"scope": ["memgate:read", 5]}), Scopes::NONE),
            (json!({}), Scopes::NONE),
        ] {
            let mut all = json!({"tenant": "acme"});
            all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
            assert_eq!(granted(&issuer, all).unwrap().scopes, scopes, "{claims}");
        }
        let giving = Issuer { granted_scopes: vec!["memgate:read".to_owned()], ..issuer };
        assert_eq!(granted(&giving, json!({"tenant": "acme"})).unwrap().scopes, r);
    }
}
