//! What a good certificate grants: a tenant, or the operator's role.
//!
//! INVARIANT I1: the tenant follows from names of the one kind that the settings choose. A name is
//! mapped, or has a tenant's name where the pattern says, or means nobody; it is never cleaned up.
//! Two names that mean somebody are one too many, even when they mean the same.

use super::names::Names;
use crate::{
    config::certificates::{Certificates, NameKind},
    domain::{
        key::{KeyId, Role},
        tenant::TenantLabel,
    },
};

/// What a certificate grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Agent, or operator where the settings say so.
    pub role: Role,
    /// The tenant of an agent.
    pub tenant: Option<TenantLabel>,
    /// The name that decided.
    pub name: String,
}

impl Grant {
    /// The id of its holder.
    #[must_use]
    pub fn holder(&self) -> KeyId {
        KeyId::of_certificate(&self.name, self.tenant.as_ref())
    }
}

/// Why a good certificate grants nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// It has no readable name of the kind that counts.
    NoName,
    /// None of them is mapped, and none fits the pattern.
    NoTenant,
    /// More than one of them means somebody.
    Several,
    /// Certificates may not open that tenant.
    NotAllowed,
}

impl Nothing {
    /// For the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoName => "it has no name of the kind in `tenant_from`",
            Self::NoTenant => "its name is not in `tenant_map` and no tenant's by `tenant_pattern`",
            Self::Several => "more than one of its names means somebody",
            Self::NotAllowed => "its tenant is not in `tenants`, or is reached by mapping only",
        }
    }
}

/// What the names mean, in the form in which they are compared.
#[derive(Debug, Clone)]
pub struct Rules {
    settings: Certificates,
}

impl Rules {
    /// The rules of these settings.
    #[must_use]
    pub fn new(settings: &Certificates) -> Self {
        let mut settings = settings.clone();
        if settings.tenant_from == NameKind::SanDns {
            // Case does not count in a DNS name (RFC 4343), so it must not count in a rule.
            let lower = |name: &String| name.to_ascii_lowercase();
            settings.tenant_pattern = settings.tenant_pattern.map(|pattern| pattern.to_lowercase());
            settings.tenant_map =
                settings.tenant_map.iter().map(|(name, to)| (lower(name), to.clone())).collect();
            settings.operator_values = settings.operator_values.iter().map(lower).collect();
        }
        Self { settings }
    }

    /// The settings behind them.
    #[must_use]
    pub fn settings(&self) -> &Certificates {
        &self.settings
    }

    /// What a certificate with these names grants.
    ///
    /// # Errors
    /// Why it grants nothing.
    pub fn grant(&self, names: &Names) -> Result<Grant, Nothing> {
        let names = names.of(self.settings.tenant_from);
        if names.is_empty() {
            return Err(Nothing::NoName);
        }
        let mut meant = Vec::new();
        let mut refused = Nothing::NoTenant;
        for name in names {
            match self.one(name) {
                Ok(grant) => meant.push(grant),
                Err(Nothing::NotAllowed) => refused = Nothing::NotAllowed,
                Err(_) => {}
            }
        }
        match (meant.pop(), meant.is_empty()) {
            (Some(grant), true) => Ok(grant),
            (Some(_), false) => Err(Nothing::Several),
            (None, _) => Err(refused),
        }
    }

    fn one(&self, name: &str) -> Result<Grant, Nothing> {
        let rules = &self.settings;
        let folded;
        let name = if rules.tenant_from == NameKind::SanDns {
            folded = name.to_ascii_lowercase();
            folded.as_str()
        } else {
            name
        };
        if rules.operator_values.iter().any(|value| value == name) {
            return Ok(Grant { role: Role::Operator, tenant: None, name: name.to_owned() });
        }
        let label = match rules.tenant_map.get(name) {
            Some(label) => label.clone(),
            None => self.by_pattern(name)?,
        };
        if !rules.tenants.is_empty() && !rules.tenants.contains(&label) {
            return Err(Nothing::NotAllowed);
        }
        Ok(Grant { role: Role::Agent, tenant: Some(label), name: name.to_owned() })
    }

    fn by_pattern(&self, name: &str) -> Result<TenantLabel, Nothing> {
        let rules = &self.settings;
        let found = rules.tenant_pattern.as_ref().and_then(|pattern| pattern.tenant(name));
        let label = TenantLabel::parse(found.unwrap_or_default()).map_err(|_| Nothing::NoTenant)?;
        // SECURITY: as with tokens: where a mapped name is `ada`, somebody whom the pattern calls
        // `ada` is not. Test: `i1_a_mapped_tenant_is_reached_through_the_map_alone`.
        if rules.tenant_map.values().any(|mapped| *mapped == label) {
            return Err(Nothing::NotAllowed);
        }
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;
    use crate::config::{
        certificates::Pattern,
        form::{Form as _, Raw},
    };

    fn label(text: &str) -> TenantLabel {
        TenantLabel::parse(text).unwrap()
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::read(&Raw::Text(text.to_owned())).unwrap()
    }

    /// What a certificate with these alternative names is granted.
    fn granted(settings: &Certificates, names: &[&str]) -> Result<Grant, Nothing> {
        let mut params = CertificateParams::default();
        let ia5 = |text: &&str| rcgen::string::Ia5String::try_from(*text).unwrap();
        params.subject_alt_names = match settings.tenant_from {
            NameKind::SanDns => names.iter().map(|n| SanType::DnsName(ia5(n))).collect(),
            _ => names.iter().map(|n| SanType::URI(ia5(n))).collect(),
        };
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Rules::new(settings).grant(&Names::read(made.der()).unwrap())
    }

    fn tenant(settings: &Certificates, names: &[&str]) -> Result<Option<TenantLabel>, Nothing> {
        granted(settings, names).map(|grant| grant.tenant)
    }

    #[test]
    fn i1_a_name_that_is_no_tenants_is_refused_and_never_cleaned_up() {
        let spiffe = Certificates {
            tenant_pattern: Some(pattern("spiffe://example.org/ns/prod/sa/{tenant}")),
            ..Certificates::default()
        };
        let sa = |name: &str| format!("spiffe://example.org/ns/prod/sa/{name}");
        assert_eq!(tenant(&spiffe, &[&sa("acme")]), Ok(Some(label("acme"))));
        for bad in [
            "",
            "../x",
            "ACME",
            "acme/",
            "acme/../b",
            "a.b",
            "acme%00",
            "acme?x",
            "acme#x",
            " acme",
        ] {
            assert_eq!(tenant(&spiffe, &[&sa(bad)]), Err(Nothing::NoTenant), "{bad:?}");
        }
        for other in ["SPIFFE://example.org/ns/prod/sa/acme", "spiffe://example.org/ns/dev/sa/acme"]
        {
            assert_eq!(tenant(&spiffe, &[other]), Err(Nothing::NoTenant), "{other}");
        }
        assert_eq!(tenant(&spiffe, &["acme\0"]), Err(Nothing::NoName));
        assert_eq!(tenant(&spiffe, &[]), Err(Nothing::NoName), "no default tenant");
    }

    #[test]
    fn i1_exactly_one_name_must_mean_somebody() {
        let spiffe = Certificates {
            tenant_pattern: Some(pattern("spiffe://example.org/sa/{tenant}")),
            ..Certificates::default()
        };
        let (a, b) = ("spiffe://example.org/sa/acme", "spiffe://example.org/sa/globex");
        assert_eq!(tenant(&spiffe, &[a, b]), Err(Nothing::Several));
        assert_eq!(tenant(&spiffe, &[a, a]), Err(Nothing::Several));
        assert_eq!(tenant(&spiffe, &["https://x.example", a]), Ok(Some(label("acme"))));
    }

    #[test]
    fn case_does_not_count_in_a_dns_name_and_a_star_means_nobody() {
        let dns = Certificates {
            tenant_from: NameKind::SanDns,
            tenant_pattern: Some(pattern("{tenant}.Agents.example")),
            tenant_map: [("Laptop.example".to_owned(), label("ada"))].into(),
            ..Certificates::default()
        };
        assert_eq!(tenant(&dns, &["ACME.agents.EXAMPLE"]), Ok(Some(label("acme"))));
        assert_eq!(tenant(&dns, &["laptop.example"]), Ok(Some(label("ada"))));
        assert_eq!(tenant(&dns, &["*.agents.example"]), Err(Nothing::NoName));
        assert_eq!(tenant(&dns, &["a.b.agents.example"]), Err(Nothing::NoTenant));
    }

    #[test]
    fn i1_a_mapped_tenant_is_reached_through_the_map_alone() {
        let settings = Certificates {
            tenant_pattern: Some(pattern("x:{tenant}")),
            tenant_map: [("spiffe://a.example/ada".to_owned(), label("ada"))].into(),
            ..Certificates::default()
        };
        assert_eq!(tenant(&settings, &["spiffe://a.example/ada"]), Ok(Some(label("ada"))));
        assert_eq!(tenant(&settings, &["x:ada"]), Err(Nothing::NotAllowed));
        assert_eq!(tenant(&settings, &["x:bob"]), Ok(Some(label("bob"))));
        let bound = Certificates { tenants: vec![label("ada")], ..settings };
        assert_eq!(tenant(&bound, &["x:bob"]), Err(Nothing::NotAllowed));
        assert_eq!(tenant(&bound, &["spiffe://a.example/ada"]), Ok(Some(label("ada"))));
    }

    #[test]
    fn i3_an_operator_is_one_by_its_exact_name_only() {
        let settings = Certificates {
            tenant_pattern: Some(pattern("x:{tenant}")),
            operator_values: vec!["x:ops".to_owned()],
            ..Certificates::default()
        };
        let ops = granted(&settings, &["x:ops"]).unwrap();
        assert_eq!((ops.role, ops.tenant), (Role::Operator, None));
        assert_eq!(granted(&settings, &["x:operator"]).unwrap().role, Role::Agent);
        assert_eq!(granted(&settings, &["x:ops", "x:acme"]), Err(Nothing::Several));
    }
}
