//! What a key can do, in one sentence.

use std::fmt::{Display, Write as _};

use crate::domain::{
    action::{Access, Action},
    bounds::Bounds,
    key::{KeyRecord, Role},
    tool::Tools,
};

impl KeyRecord {
    /// What the key can do: "reads acme's memories tagged work, from 10.0.0.0/8, Mon–Fri 08–18
    /// Europe/Berlin, until 2027-01-01". Policy may allow it less.
    #[must_use]
    pub fn in_words(&self) -> String {
        let bounds = &self.bounds;
        let mut text = match (self.role, &self.tenant) {
            (Role::Operator, _) if bounds.access == Access::Read => {
                "sees sessions, tenants and keys".to_owned()
            }
            (Role::Operator, _) => "manages sessions, tenants and keys".to_owned(),
            (Role::Agent, tenant) => {
                let verb = verb(bounds);
                let whose = tenant.as_ref().map_or("nobody", |tenant| tenant.label.as_str());
                format!("{verb} {whose}'s memories")
            }
        };
        // Writing to a `String` cannot fail.
        if let Some(tags) = &bounds.tags {
            let _ = write!(text, " tagged {}", list(tags.iter(), " or "));
        }
        if !self.act_as.is_empty() {
            let _ = write!(text, ", and those of {}", list(self.act_as.iter(), " and "));
        }
        if let Some(tools) = bounds.tools {
            let _ = write!(text, ", by {}", list(tools.iter(), " and "));
        } else if let Some(packs) = self.packs {
            let none = packs.iter().next().is_none();
            let packs = list(packs.iter(), " and ");
            let _ = if none {
                write!(text, ", without any tool")
            } else {
                write!(text, ", by the tools of {packs}")
            };
        }
        if let Some(networks) = &bounds.from {
            let _ = write!(text, ", from {}", list(networks.iter(), " or "));
        }
        if let Some(hours) = &bounds.hours {
            let _ = write!(text, ", {}", hours.in_words());
        }
        if let Some(class) = &bounds.rate_class {
            let _ = write!(text, ", at the rate of {class}");
        }
        if let Some(end) = self.expires_at {
            let _ = write!(text, ", until {}", end.strftime("%Y-%m-%d"));
        }
        text
    }
}

/// What is done with memories: by any tool, or by the single ones that there are.
fn verb(bounds: &Bounds) -> &'static str {
    let does = |wanted: fn(Action) -> bool| {
        let mut tools = bounds.tools.into_iter().flat_map(Tools::iter);
        bounds.tools.is_none() || tools.any(|tool| wanted(tool.action()))
    };
    let reads = does(|action| action.access() == Access::Read && action != Action::DemoUse);
    let writes = bounds.access == Access::Write && does(|action| action.access() == Access::Write);
    match (reads, writes) {
        (true, true) => "reads and writes",
        (true, false) => "reads",
        (false, true) => "writes",
        (false, false) => "reads none of",
    }
}

/// `a`, `a or b`, `a, b or c`.
fn list(items: impl Iterator<Item = impl Display>, last: &str) -> String {
    let mut items: Vec<_> = items.map(|item| item.to_string()).collect();
    match items.pop() {
        Some(end) if items.is_empty() => end,
        Some(end) => format!("{}{last}{end}", items.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        key::KeyId,
        tenant::{Tenant, TenantId, TenantLabel},
    };

    fn record(bounds: &str) -> KeyRecord {
        let label = |text| TenantLabel::parse(text).unwrap();
        let tenant = Tenant {
            id: TenantId::parse("t_00000000000000000000").unwrap(),
            label: label("acme"),
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        KeyRecord {
            id: KeyId::parse("000000000000").unwrap(),
            role: Role::Agent,
            tenant: Some(tenant),
            name: String::new(),
            packs: None,
            act_as: Vec::new(),
            bounds: serde_json::from_str(bounds).unwrap(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_told_in_a_sentence() {
        let all = r#"{"access":"read","tags":["work"],"from":["10.0.0.0/8"],
                      "hours":"mon-fri 08:00-18:00 Europe/Berlin"}"#;
        let bounded =
            KeyRecord { expires_at: Some("2027-01-01T00:00:00Z".parse().unwrap()), ..record(all) };
        assert_eq!(
            bounded.in_words(),
            "reads acme's memories tagged work, from 10.0.0.0/8, Mon–Fri 08–18 Europe/Berlin, \
             until 2027-01-01"
        );
        assert_eq!(record("{}").in_words(), "reads and writes acme's memories");
        let tools = record(
            r#"{"tools":["echo","store_memory","get_time"],"tags":["a","b"],"rate_class":"ci"}"#,
        );
        assert_eq!(
            tools.in_words(),
            "writes acme's memories tagged a or b, by store_memory, echo and get_time, at the rate \
             of ci"
        );
        for (tools, words) in [
            (r#"["retrieve_memories","add_memory"]"#, "reads and writes acme's memories, by"),
            (r#"["get_user_profile"]"#, "reads acme's memories, by"),
            (r#"["echo"]"#, "reads none of acme's memories, by"),
        ] {
            let said = record(&format!(r#"{{"tools":{tools}}}"#)).in_words();
            assert!(said.starts_with(words), "{said}");
        }
        let acting = KeyRecord {
            act_as: vec![TenantLabel::parse("globex").unwrap()],
            packs: Some(Vec::new().into()),
            ..record("{}")
        };
        assert_eq!(
            acting.in_words(),
            "reads and writes acme's memories, and those of globex, without any tool"
        );
        let operator =
            KeyRecord { role: Role::Operator, tenant: None, ..record(r#"{"access":"read"}"#) };
        assert_eq!(operator.in_words(), "sees sessions, tenants and keys");
        let operator = KeyRecord { bounds: Bounds::default(), ..operator };
        assert_eq!(operator.in_words(), "manages sessions, tenants and keys");
    }
}
