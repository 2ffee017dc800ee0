//! Keys from the environment: held in memory as fingerprints, written nowhere.
//!
//! They work while the process runs and cannot be revoked, only removed from the settings.
//! Each gets a public id `env-<name>` for lists and logs.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::Key;
use crate::{
    config::{auth::EnvironmentKey, key_text},
    domain::{
        Error, Result,
        bounds::Bounds,
        key::{KeyId, KeyRecord, Role},
        tenant::{MAX_LABEL_BYTES, TenantLabel},
    },
    registry::{
        fingerprint::{Fingerprint, Fingerprints},
        tenants::Tenants,
    },
};

/// Longer credentials are turned away before they are hashed; the settings take no longer ones.
pub const MAX_KEY_BYTES: usize = key_text::MAX_CHARS;

/// Names that stand for callers without a key: the control socket, and everybody when
/// authentication is off.
const RESERVED: [&str; 2] = ["local", "open"];

/// The keys of the settings, by fingerprint.
pub(super) fn load(
    settings: &[EnvironmentKey],
    tenants: &Tenants,
    fingerprints: &Fingerprints,
    now: Timestamp,
) -> Result<HashMap<Fingerprint, Arc<Key>>> {
    let mut keys = HashMap::new();
    let mut ids: Vec<KeyId> = Vec::new();
    for setting in settings {
        let text = setting.secret.expose();
        if text.len() > MAX_KEY_BYTES {
            return Err(Error::bad_input(format!(
                "a key from the environment is longer than {MAX_KEY_BYTES} bytes"
            )));
        }
        let tenant = match (setting.role, &setting.tenant) {
            (Role::Agent, Some(label)) => Some(tenants.ensure(label)?),
            (Role::Operator, None) => None,
            (Role::Agent, None) => {
                return Err(Error::bad_input("an agent key from the environment needs a tenant"));
            }
            (Role::Operator, Some(_)) => {
                return Err(Error::bad_input("an operator key belongs to no tenant"));
            }
        };
        let name = setting.tenant.as_ref().map_or("operator", TenantLabel::as_str);
        let id = free_id(name, &ids)?;
        ids.push(id.clone());
        let record = KeyRecord {
            id,
            role: setting.role,
            tenant,
            name: "from the environment".to_owned(),
            packs: None,
            act_as: Vec::new(),
            bounds: Bounds::default(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
        };
        let key = Arc::new(Key::unlisted(record));
        if keys.insert(fingerprints.of(text), key).is_some() {
            return Err(Error::bad_input("the same key stands in the environment twice"));
        }
    }
    Ok(keys)
}

/// `env-<name>`, or with `-2`, `-3`, … after it when that is taken or stands for another kind
/// of caller.
fn free_id(name: &str, taken: &[KeyId]) -> Result<KeyId> {
    let cut = name.get(..MAX_LABEL_BYTES - 4).unwrap_or(name);
    let numbered = (2..1_000).map(|n| format!("{cut}-{n}"));
    for candidate in std::iter::once(name.to_owned()).chain(numbered) {
        let id = KeyId::named(&TenantLabel::parse(&candidate)?);
        if !RESERVED.contains(&candidate.as_str()) && !taken.contains(&id) {
            return Ok(id);
        }
    }
    Err(Error::bad_input(format!("too many keys from the environment for `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_environment_key_gets_the_id_of_the_control_socket() {
        let mut taken = Vec::new();
        for (name, id) in [
            ("acme", "env-acme"),
            ("acme", "env-acme-2"),
            ("local", "env-local-2"),
            ("open", "env-open-2"),
            ("local-2", "env-local-2-2"),
        ] {
            let free = free_id(name, &taken).unwrap();
            assert_eq!(free.as_str(), id);
            taken.push(free);
        }
        let long = "a".repeat(MAX_LABEL_BYTES);
        for _ in 0..3 {
            taken.push(free_id(&long, &taken).unwrap());
        }
    }
}
