//! The keys: their records in memory, their hashes at rest.
//!
//! Made keys are looked up by their public id, environment keys by fingerprint; nobody outside
//! can cause a database access here (I7). A key stops working by being revoked or by its date,
//! and either cancels its `gone` token, which ends its sessions and streams (I9).

mod environment;
mod key;
mod proof;

pub use environment::MAX_KEY_BYTES;
pub use key::Key;
pub use proof::{Proof, Tagger};

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard},
};

use jiff::Timestamp;

use super::{
    control::{ControlStore, StoredKey, TagKey},
    fingerprint::{Fingerprint, Fingerprints},
    tenants::Tenants,
};
use crate::{
    config::auth::EnvironmentKey,
    domain::{
        Error, Kind, Result,
        client::is_hidden,
        clock::Clock,
        key::{KeyId, KeyRecord, PresentedKey, Role},
        pack::Packs,
        random::Entropy,
        secret::Secret,
        tenant::{Tenant, TenantLabel},
    },
};

/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 64;

/// What a new key shall be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Agent or operator.
    pub role: Role,
    /// The tenant of an agent key.
    pub tenant: Option<Tenant>,
    /// What its owner calls it.
    pub name: String,
    /// Its packs, or the deployment's default.
    pub packs: Option<Packs>,
    /// Other tenants it may name in `user_id`.
    pub act_as: Vec<TenantLabel>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// Called with the id of a key that has just stopped working.
type GoneHook = Box<dyn Fn(&KeyId) + Send + Sync>;

/// Every key of this deployment, those from the environment included.
pub struct Keyring {
    control: Arc<dyn ControlStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tagger: Tagger,
    fingerprints: Fingerprints,
    environment: HashMap<Fingerprint, Arc<Key>>,
    made: RwLock<HashMap<KeyId, Arc<Key>>>,
    /// Held over a revocation, so that the second of two finds it done.
    revoking: Mutex<()>,
    /// The last marks of use that were written.
    saved_uses: Mutex<HashMap<KeyId, Timestamp>>,
    when_gone: OnceLock<GoneHook>,
}

impl Keyring {
    pub(in crate::registry) fn new(
        control: Arc<dyn ControlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        loaded: (Vec<StoredKey>, &TagKey),
        environment: &[EnvironmentKey],
        tenants: &Tenants,
    ) -> Result<Self> {
        let (stored, tag_key) = loaded;
        let fingerprints = Fingerprints::random(entropy.as_ref());
        let environment = environment::load(environment, tenants, &fingerprints, clock.now())?;
        let saved_uses = stored
            .iter()
            .filter_map(|s| Some((s.record.id.clone(), s.last_used?)))
            .collect::<HashMap<_, _>>();
        let made = stored
            .into_iter()
            .map(|s| (s.record.id.clone(), Arc::new(Key::made(s.record, s.proof, s.last_used))))
            .collect();
        Ok(Self {
            control,
            clock,
            entropy,
            tagger: Tagger::new(&tag_key.0),
            fingerprints,
            environment,
            made: RwLock::new(made),
            revoking: Mutex::default(),
            saved_uses: Mutex::new(saved_uses),
            when_gone: OnceLock::new(),
        })
    }

    /// Makes a key; its text is shown to its owner once and kept nowhere. Hashes and writes to
    /// the disk, tens of milliseconds: call it from the blocking pool.
    ///
    /// # Errors
    /// `BadInput` names the rule that `new` breaks; `NotFound` when the tenant is gone;
    /// `Unavailable` when the key cannot be written.
    pub fn create(&self, new: NewKey) -> Result<(Arc<Key>, Secret)> {
        let now = self.clock.now();
        check(&new, now)?;
        let presented = PresentedKey::random(self.entropy.as_ref());
        let proof = Proof::make(&presented.secret, &self.tagger, self.entropy.as_ref())?;
        let record = KeyRecord {
            id: presented.id.clone(),
            role: new.role,
            tenant: new.tenant,
            name: new.name,
            packs: new.packs,
            act_as: new.act_as,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        self.control.insert_key(&record, &proof)?;
        let key = Arc::new(Key::made(record, proof, None));
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.insert(presented.id.clone(), Arc::clone(&key));
        drop(made);
        Ok((key, presented.reveal()))
    }

    /// The key with this id, revoked and expired ones included.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<Arc<Key>> {
        let from_environment = || self.environment.values().find(|k| k.record.id == *id).cloned();
        self.made(id).or_else(from_environment)
    }

    /// Every key, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Key>> {
        let mut keys: Vec<_> = self.environment.values().cloned().collect();
        keys.extend(self.all_made().values().cloned());
        keys.sort_by(|a, b| {
            (a.record.created_at, &a.record.id).cmp(&(b.record.created_at, &b.record.id))
        });
        keys
    }

    /// Revokes a key: when this returns, no request with it succeeds. Returns false when there
    /// is no such key. Writes to the disk: call it from the blocking pool.
    ///
    /// # Errors
    /// `Conflict` for a key from the environment; `Unavailable` when it cannot be written: the
    /// key is then refused all the same, but a restart would bring it back.
    pub fn revoke(&self, id: &KeyId) -> Result<bool> {
        let _revoking = self.revoking.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = self.get(id) else { return Ok(false) };
        if key.proof().is_none() {
            return Err(Error::new(
                Kind::Conflict,
                "this key comes from the environment; remove it there and restart",
            ));
        }
        if key.record.revoked_at.is_some() {
            return Ok(true);
        }
        let now = self.clock.now();
        // The order is the promise: on disk first, so that a restart cannot bring it back; then
        // the token, which every check reads; then what only saves work or memory. SECURITY: a
        // disk that takes nothing does not save a key, or its thief would fill the disk.
        let written = self.control.revoke_key(id, now);
        key.gone.cancel();
        if written.is_ok() {
            let revoked = Arc::new(key.revoked(now));
            self.made.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), revoked);
        }
        self.tell_gone(id);
        written.map(|()| true).map_err(|cause| {
            let sentence = "the key is refused from now on, but that could not be written; revoke \
                            it again before the next restart, which would bring it back";
            Error::new(Kind::Unavailable, sentence).caused_by(cause)
        })
    }

    /// Has `hook` called with the id of every key that stops working, before
    /// [`revoke`](Self::revoke) returns. There is one hook, for `auth`; a second is ignored.
    pub(crate) fn when_gone(&self, hook: impl Fn(&KeyId) + Send + Sync + 'static) {
        let _ = self.when_gone.set(Box::new(hook));
    }

    /// Ends the keys whose date has passed, and once a minute writes down which keys were used.
    /// Called by the app once a second, from the blocking pool.
    ///
    /// # Errors
    /// `Unavailable` when the uses cannot be written; they are kept for the next time.
    pub fn sweep(&self) -> Result<()> {
        let clock = self.clock.as_ref();
        let ended: Vec<_> = self
            .all_made()
            .values()
            .filter(|key| !key.gone.is_cancelled() && !key.works(clock))
            .map(|key| key.record.id.clone())
            .collect();
        for id in &ended {
            self.tell_gone(id);
        }
        self.save_uses()
    }

    fn save_uses(&self) -> Result<()> {
        let mut saved = self.saved_uses.lock().unwrap_or_else(PoisonError::into_inner);
        let news: Vec<_> = self
            .all_made()
            .values()
            .filter_map(|key| Some((&key.record.id, key.last_used()?)))
            .filter(|(id, at)| saved.get(*id).is_none_or(|old| old < at))
            .map(|(id, at)| (id.clone(), at))
            .collect();
        if news.is_empty() {
            return Ok(());
        }
        self.control.save_uses(&news)?;
        saved.extend(news);
        Ok(())
    }

    /// What stands for a presented credential in memory.
    pub(crate) fn fingerprint(&self, credential: &str) -> Fingerprint {
        self.fingerprints.of(credential)
    }

    /// The environment key with this fingerprint.
    pub(crate) fn environment(&self, fingerprint: &Fingerprint) -> Option<&Arc<Key>> {
        self.environment.get(fingerprint)
    }

    /// Makes the tags that [`Proof::may_match`] compares.
    pub(crate) fn tagger(&self) -> &Tagger {
        &self.tagger
    }

    /// The key that was made under this id.
    pub(crate) fn made(&self, id: &KeyId) -> Option<Arc<Key>> {
        self.all_made().get(id).cloned()
    }

    fn all_made(&self) -> RwLockReadGuard<'_, HashMap<KeyId, Arc<Key>>> {
        self.made.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_gone(&self, id: &KeyId) {
        if let Some(hook) = self.when_gone.get() {
            hook(id);
        }
    }
}

/// SECURITY: names no key. Test: `i5_no_debug_output_shows_a_secret`.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.all_made().len() + self.environment.len();
        f.debug_struct("Keyring").field("keys", &keys).finish_non_exhaustive()
    }
}

fn check(new: &NewKey, now: Timestamp) -> Result<()> {
    let name = new.name.trim();
    let rule = match (new.role, &new.tenant) {
        (Role::Agent, None) => "an agent key needs a tenant",
        (Role::Operator, Some(_)) => "an operator key belongs to no tenant",
        (Role::Operator, None) if !new.act_as.is_empty() => {
            "an operator key acts for no tenant; only an agent key can have `act_as`"
        }
        _ if new.act_as.iter().collect::<BTreeSet<_>>().len() < new.act_as.len() => {
            "`act_as` names a tenant twice; name each once"
        }
        _ if new.name.chars().count() > MAX_NAME_CHARS => "a key's name has at most 64 characters",
        _ if name.len() != new.name.len() || new.name.chars().any(is_hidden) => {
            "a key's name has no control or invisible characters and no spaces around it"
        }
        _ if new.expires_at.is_some_and(|end| end <= now) => {
            "a key's date of expiry must lie ahead"
        }
        _ => return Ok(()),
    };
    Err(Error::bad_input(rule))
}

#[cfg(test)]
mod tests;
