//! The control plane as a command sees it: through the running server, or directly.
//!
//! A server that runs holds the lock of the data directory, so it is asked over its socket.
//! Without one, the command takes the lock and opens the registry itself. Both give the same
//! records as JSON, so that `--json` prints the same either way.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{client::Client, failure::Failure};
use crate::{
    app::Control,
    config::{
        form::{Form as _, time::Time},
        load,
        load::Sources,
    },
    db::paths::Paths,
    domain::{
        Error, Result,
        action::Action,
        bounds::Bounds,
        key::{KeyId, Role},
        pack::Packs,
        secret::Secret,
        tenant::{Tenant, TenantLabel},
    },
    http::admin::keys::Shown,
    registry::{
        Registry,
        keyring::{Key, NewKey},
    },
};

/// Tenants and keys, wherever they are.
#[derive(Debug)]
pub enum Registrar {
    /// A server runs on the data directory.
    Running(Client),
    /// Nobody does; we hold the lock.
    Direct(Box<Control>),
}

/// What a new key shall be, as it was asked for.
#[derive(Debug)]
pub struct Wish {
    /// Agent or operator.
    pub role: Role,
    /// The tenant of an agent key.
    pub tenant: Option<TenantLabel>,
    /// What its owner calls it.
    pub name: String,
    /// Its packs, or the deployment's default.
    pub packs: Option<Packs>,
    /// Other tenants it may name.
    pub act_as: Vec<TenantLabel>,
    /// What it may not.
    pub bounds: Bounds,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

impl Registrar {
    /// Finds the running server, or opens the data directory, which is made when it is missing.
    ///
    /// # Errors
    /// Settings that cannot be read; a data directory that cannot be used.
    pub fn open(sources: &Sources) -> Result<Self, Failure> {
        let settings = load::read(sources)?.settings;
        let socket = Paths::below(&settings.storage.data_dir).control_socket();
        if let Some(client) = Client::find(socket)? {
            return Ok(Self::Running(client));
        }
        Ok(Self::Direct(Box::new(Control::open(&settings)?)))
    }

    /// Every tenant.
    ///
    /// # Errors
    /// What the server says, or `Unavailable`.
    pub fn tenants(&self) -> Result<Vec<Value>> {
        match self {
            Self::Running(client) => Ok(list(client.get("/admin/tenants")?, "tenants")),
            Self::Direct(direct) => records(&direct.registry.tenants.list()),
        }
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// `Conflict` when the label is taken; `Unavailable`.
    pub fn create_tenant(&self, label: &TenantLabel) -> Result<Value> {
        match self {
            Self::Running(client) => client.post("/admin/tenants", &json!({ "label": label })),
            Self::Direct(direct) => {
                let made = || direct.registry.tenants.create(label);
                let id = |tenant: &Tenant| tenant.id.to_string();
                record(&direct.recorded(Action::TenantCreate, id, made)?)
            }
        }
    }

    /// Every key; no secret is among them.
    ///
    /// # Errors
    /// What the server says, or `Unavailable`.
    pub fn keys(&self) -> Result<Vec<Value>> {
        match self {
            Self::Running(client) => Ok(list(client.get("/admin/keys")?, "keys")),
            Self::Direct(direct) => {
                let now = direct.clock.now();
                direct.registry.keys.list().iter().map(|key| key_record(key, now)).collect()
            }
        }
    }

    /// One key.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub fn key(&self, id: &KeyId) -> Result<Value> {
        match self {
            Self::Running(client) => client.get(&format!("/admin/keys/{id}")),
            Self::Direct(direct) => {
                let key = direct.registry.keys.get(id).ok_or_else(|| Error::not_found("key"))?;
                key_record(&key, direct.clock.now())
            }
        }
    }

    /// Makes a key: its record, and its text, which is told this once.
    ///
    /// # Errors
    /// `BadInput`, `NotFound` for a tenant that is not there, `Unavailable`.
    pub fn create_key(&self, wish: Wish) -> Result<(Value, Secret)> {
        match self {
            Self::Running(client) => with_secret(client.post("/admin/keys", &wish.body()?)?),
            Self::Direct(direct) => {
                let made = || make_key(&direct.registry, wish);
                let id = |(key, _): &(Arc<Key>, Secret)| key.record.id.to_string();
                let (key, secret) = direct.recorded(Action::KeyCreate, id, made)?;
                Ok((key_record(&key, direct.clock.now())?, secret))
            }
        }
    }

    /// Gives a key a new secret: its record, and its new text, which is told this once.
    ///
    /// # Errors
    /// `NotFound`, `BadInput` for too long an overlap, `Conflict` for a key of the environment or
    /// one that works no more, `Unavailable`.
    pub fn rotate_key(&self, id: &KeyId, overlap: Duration) -> Result<(Value, Secret)> {
        match self {
            Self::Running(client) => {
                let body = json!({ "overlap": Time::show(&overlap) });
                with_secret(client.post(&format!("/admin/keys/{id}/rotate"), &body)?)
            }
            Self::Direct(direct) => {
                let rotated = || {
                    let rotated = direct.registry.keys.rotate(id, overlap)?;
                    rotated.ok_or_else(|| Error::not_found("key"))
                };
                let (key, secret) =
                    direct.recorded(Action::KeyRotate, |_| id.to_string(), rotated)?;
                Ok((key_record(&key, direct.clock.now())?, secret))
            }
        }
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for a key of the environment, `Unavailable`.
    pub fn revoke_key(&self, id: &KeyId) -> Result<()> {
        match self {
            Self::Running(client) => client.delete(&format!("/admin/keys/{id}")),
            Self::Direct(direct) => {
                let done = || {
                    direct.registry.keys.revoke(id).and_then(|was_there| {
                        was_there.then_some(()).ok_or_else(|| Error::not_found("key"))
                    })
                };
                direct.recorded(Action::KeyRevoke, |()| id.to_string(), done)
            }
        }
    }
}

/// The record and the secret in an answer.
fn with_secret(mut answer: Value) -> Result<(Value, Secret)> {
    match answer.as_object_mut().and_then(|fields| fields.remove("secret")) {
        Some(Value::String(text)) => Ok((answer, Secret::new(text))),
        _ => Err(Error::internal("the running server gave no key")),
    }
}

fn make_key(registry: &Registry, wish: Wish) -> Result<(Arc<Key>, Secret)> {
    let find = |label: TenantLabel| {
        registry.tenants.by_label(&label).ok_or_else(|| Error::not_found("tenant"))
    };
    let tenant = wish.tenant.map(find).transpose()?;
    registry.create_key(NewKey {
        role: wish.role,
        tenant,
        name: wish.name,
        packs: wish.packs,
        act_as: wish.act_as,
        bounds: wish.bounds,
        expires_at: wish.expires_at,
    })
}

impl Wish {
    /// What the server is asked for: what was not said is not sent.
    fn body(&self) -> Result<Value> {
        let mut body = serde_json::to_value(&self.bounds).map_err(Error::internal)?;
        body["role"] = json!(self.role);
        body["name"] = json!(self.name);
        if let Some(tenant) = &self.tenant {
            body["tenant"] = json!(tenant);
        }
        if let Some(packs) = &self.packs {
            body["packs"] = json!(packs);
        }
        if !self.act_as.is_empty() {
            body["act_as"] = json!(self.act_as);
        }
        if let Some(expires_at) = &self.expires_at {
            body["expires_at"] = json!(expires_at);
        }
        Ok(body)
    }
}

/// The list inside an answer.
pub(in crate::cli) fn list(mut answer: Value, name: &str) -> Vec<Value> {
    let inner = answer.get_mut(name).map(Value::take);
    match inner.unwrap_or(answer) {
        Value::Array(records) => records,
        _ => Vec::new(),
    }
}

fn records<T: serde::Serialize>(records: &[T]) -> Result<Vec<Value>> {
    records.iter().map(record).collect()
}

fn record(record: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(Error::internal)
}

/// A key as the server shows it.
fn key_record(key: &Key, now: Timestamp) -> Result<Value> {
    record(&Shown::of(key, now))
}

/// A field of a record as a cell of a table; fields inside fields are named with `/`.
pub(in crate::cli) fn cell(record: &Value, pointer: &str) -> String {
    match record.pointer(&format!("/{pointer}")) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => moment(text).unwrap_or_else(|| text.clone()),
        Some(Value::Array(list)) if list.is_empty() => "-".to_owned(),
        Some(Value::Array(list)) => {
            let texts =
                list.iter().map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

/// A time as people read it: to the second.
fn moment(text: &str) -> Option<String> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_found_with_and_without_a_name() {
        assert_eq!(list(json!([1]), "keys"), [json!(1)]);
        assert_eq!(list(json!({"keys": [1, 2]}), "keys").len(), 2);
        assert!(list(json!({"other": 1}), "keys").is_empty());
    }

    #[test]
    fn cells_are_short_and_never_empty() {
        let record = json!({"a": {"b": "x"}, "n": null, "e": "", "l": ["x", "y"], "c": 7,
            "t": "2026-07-28T12:00:00.123456Z"});
        let cells = ["a/b", "n", "e", "l", "c", "t", "none"].map(|p| cell(&record, p));
        assert_eq!(cells, ["x", "-", "-", "x,y", "7", "2026-07-28 12:00:00Z", "-"]);
    }

    #[test]
    fn a_key_is_shown_with_its_last_use() {
        let world = crate::auth::testing::World::new();
        let (key, _) = world.key(world.agent_key("acme"));
        let now = Timestamp::UNIX_EPOCH + Duration::from_mins(1);
        let shown = key_record(&key, now).unwrap();
        key.mark_used(now, "192.0.2.7".parse().unwrap());
        key.mark_client("cursor");
        let used = key_record(&key, now).unwrap();
        assert_eq!(used["last_used"], "1970-01-01T00:01:00Z");
        let last =
            json!({"at": "1970-01-01T00:01:00Z", "address": "192.0.2.7", "client": "cursor"});
        assert_eq!(used["last_use"], last);
        assert_eq!((&shown["tenant"], &shown["last_used"]), (&json!("acme"), &Value::Null));
        assert_eq!(shown["can"], "reads and writes acme's memories");
    }

    #[test]
    fn what_was_not_said_is_not_sent() {
        let wish = Wish {
            role: Role::Operator,
            tenant: None,
            name: "me".to_owned(),
            packs: None,
            act_as: vec![],
            bounds: Bounds::default(),
            expires_at: None,
        };
        assert_eq!(wish.body().unwrap(), json!({"role": "operator", "name": "me"}));
        let bounds = serde_json::from_value(json!({"tags": ["work"], "access": "read"})).unwrap();
        let wish = Wish { bounds, ..wish };
        let body = json!({"role": "operator", "name": "me", "tags": ["work"], "access": "read"});
        assert_eq!(wish.body().unwrap(), body);
    }
}
