//! Keys from the environment, and what the verifier may spend.
//!
//! A key in a setting is held to the rules of [`key_text`] the moment it is
//! read; that no two of them are the same is checked when all are known
//! ([`safety`](super::safety)).

use std::time::Duration;

use super::{
    certificates::Certificates,
    form::{
        Count, Flag, Form, Optional, Raw,
        time::Time,
        url::{HttpsUrl, Url},
        wrong,
    },
    issuer::Issuer,
    key_text,
    setting::{Setting, setting},
};
use crate::domain::{key::Role, secret::Secret, tenant::TenantLabel};

/// `[auth]`
#[derive(Debug, Clone)]
pub struct Auth {
    /// No credential is asked for; every caller is tenant `default`. Loopback only.
    pub disabled: bool,
    /// Keys that live in memory only (`MCP_API_KEY`, `MCP_API_KEYS`, `MCP_ADMIN_KEY`).
    pub environment_keys: Vec<EnvironmentKey>,
    /// The URL of `/mcp` as clients know it: the audience of tokens, and what the metadata says.
    pub resource: Option<Url>,
    /// Whose tokens are good.
    pub issuers: Vec<Issuer>,
    /// What a client certificate means.
    pub certificates: Certificates,
    /// How the scope that lets a token read is called.
    pub read_scope: String,
    /// How the scope that lets a token write is called.
    pub write_scope: String,
    /// How the scope that lets a token delete is called; `None`: the one for writing does.
    pub delete_scope: Option<String>,
    /// What stands before a scope's name where a client asks for it, and not in tokens.
    pub scope_prefix: Option<String>,
    /// argon2 verifications at once (each takes 19 MiB and tens of milliseconds).
    pub verifier_permits: usize,
    /// Verifications that may wait; beyond it the caller gets 503.
    pub verifier_queue: usize,
    /// Verified keys that are remembered.
    pub cache_capacity: u64,
    /// For how long.
    pub cache_ttl: Duration,
}

/// A key from the environment.
#[derive(Debug, Clone)]
pub struct EnvironmentKey {
    /// The tenant it opens, made on start if missing; operators have none.
    pub tenant: Option<TenantLabel>,
    /// Agent or operator.
    pub role: Role,
    /// The whole key, any text of at least 16 characters.
    pub secret: Secret,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            disabled: false,
            environment_keys: Vec::new(),
            resource: None,
            issuers: Vec::new(),
            certificates: Certificates::default(),
            read_scope: "memgate:read".to_owned(),
            write_scope: "memgate:write".to_owned(),
            delete_scope: None,
            scope_prefix: None,
            verifier_permits: 2,
            verifier_queue: 8,
            cache_capacity: 100_000,
            cache_ttl: Duration::from_mins(10),
        }
    }
}

/// The tenant of callers who name none: of the key in `MCP_API_KEY`, of everybody when
/// authentication is off, and of the keys made on the first start.
pub const DEFAULT_TENANT: &str = "default";

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(auth.disabled: Flag;
        "no credential is asked for; every caller is tenant `default`; loopback only"),
    Setting {
        key: "auth.api_key",
        summary: "one agent key, for tenant `default`; held in memory only",
        form: "key",
        bounds: || None,
        secret: true,
        set: |settings, raw| {
            let key = agent(DEFAULT_TENANT, raw.text()?)?;
            settings.auth.environment_keys.push(key);
            Ok(())
        },
        show: |_| String::new(),
    },
    Setting {
        key: "auth.api_keys",
        summary: "agent keys, a tenant for each; held in memory only",
        form: "name:key list",
        bounds: || None,
        secret: true,
        set: |settings, raw| {
            settings.auth.environment_keys.extend(named_keys(raw)?);
            Ok(())
        },
        show: |_| String::new(),
    },
    Setting {
        key: "auth.admin_key",
        summary: "one operator key; held in memory only",
        form: "key",
        bounds: || None,
        secret: true,
        set: |settings, raw| {
            let secret = key_text::check(raw.text()?)?;
            let key = EnvironmentKey { tenant: None, role: Role::Operator, secret };
            settings.auth.environment_keys.push(key);
            Ok(())
        },
        show: |_| String::new(),
    },
    setting!(auth.resource: Optional<HttpsUrl>;
        "the URL of `/mcp` as clients know it; the audience of tokens, needed with an issuer"),
    setting!(auth.read_scope: ScopeName; "the scope that lets a token read"),
    setting!(auth.write_scope: ScopeName; "the scope that lets a token store and change"),
    setting!(auth.delete_scope: Optional<ScopeName>;
        "the scope that lets a token delete; `none`: the one for writing does"),
    setting!(auth.scope_prefix: Optional<ScopeName>;
        "stands before a scope's name where clients ask for it and not in tokens (Entra ID)"),
    setting!(auth.verifier_permits: Count<usize>, 1..=64; "argon2 verifications at once"),
    setting!(auth.verifier_queue: Count<usize>, 0..=1024;
        "verifications that may wait; beyond it the caller gets 503"),
    setting!(auth.cache_capacity: Count<u64>, 0..=10_000_000; "verified keys that are remembered"),
    setting!(auth.cache_ttl: Time, Duration::from_secs(1)..=Duration::from_hours(24);
        "for how long a verified key is remembered"),
];

/// A scope's name, as RFC 6749 allows it: it stands in a header between quotes.
#[derive(Debug)]
struct ScopeName;

impl Form for ScopeName {
    type Value = String;

    const NAME: &'static str = "scope";

    fn read(raw: &Raw) -> Result<String, String> {
        let text = raw.text()?;
        if text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
            Ok(text.to_owned())
        } else {
            Err(wrong(raw, "visible ASCII characters without `\"` and `\\`"))
        }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// Reads `name:key,name:key`. SECURITY: no message repeats a name or a key, only the number of
/// the entry (test `i5_no_problem_shows_a_key`).
fn named_keys(raw: &Raw) -> Result<Vec<EnvironmentKey>, String> {
    let mut keys = Vec::new();
    let mut wrong = Vec::new();
    for (i, element) in raw.elements().into_iter().enumerate() {
        let key = match element.split_once(':') {
            None => Err("is not `name:key`".to_owned()),
            Some((name, text)) => agent(name, text),
        };
        match key {
            Ok(key) => keys.push(key),
            Err(sentence) => wrong.push(format!("entry {} {sentence}", i + 1)),
        }
    }
    if keys.is_empty() && wrong.is_empty() {
        return Err("is empty; write `name:key,name:key` or leave it out".to_owned());
    }
    if wrong.is_empty() { Ok(keys) } else { Err(wrong.join(", and ")) }
}

fn agent(name: &str, text: &str) -> Result<EnvironmentKey, String> {
    let tenant = TenantLabel::parse(name)
        .map_err(|e| format!("has a tenant name that does not fit: {}", e.public()))?;
    let secret = key_text::check(text)?;
    Ok(EnvironmentKey { tenant: Some(tenant), role: Role::Agent, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<EnvironmentKey>, String> {
        named_keys(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn names_and_keys_read() {
        let keys = read("acme:k7Qd93jf8sLw02Xm, globex:p0Wn:d8sJq2Lv7Bx4Z\n").unwrap();
        let names: Vec<_> = keys.iter().map(|k| k.tenant.as_ref().unwrap().as_str()).collect();
        assert_eq!(names, ["acme", "globex"]);
        assert_eq!(keys[1].secret.expose(), "p0Wn:d8sJq2Lv7Bx4Z");
    }

    #[test]
    fn i3_a_bad_entry_refuses_all_and_every_bad_entry_is_named() {
        let sentence = read("acme:k7Qd93jf8sLw02Xm,B:k7Qd93jf8sLw02Xm,c,d:short").unwrap_err();
        for entry in ["entry 2 has a tenant name", "entry 3 is not", "entry 4 is shorter"] {
            assert!(sentence.contains(entry), "{sentence}");
        }
        for name in ["../b", "..", ".", "", " ", "a ", "a.", "CON", "-rf", "~root", "$HOME", "A"] {
            assert!(read(&format!("{name}:k7Qd93jf8sLw02Xm")).is_err(), "{name:?}");
        }
        assert!(read("").is_err());
    }
}
