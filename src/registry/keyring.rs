//! The keys: their records in memory, their hashes at rest.
//!
//! Made keys are looked up by their public id, environment keys by fingerprint; nobody outside
//! can cause a database access here (I7). A key stops working by being revoked or by its date,
//! and either cancels its `gone` token, which ends its sessions and streams (I9). A key can be
//! given a new secret while it works; the one before it works on until the overlap ends.

mod attention;
mod environment;
mod key;
mod marks;
mod proof;
mod rule;

pub use attention::Attention;
pub use environment::MAX_KEY_BYTES;
pub use key::Key;
pub use proof::{Proof, Tagger};

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    control::{ControlStore, StoredKey, TagKey},
    fingerprint::{Fingerprint, Fingerprints},
    tenants::Tenants,
};
use crate::{
    config::{auth::EnvironmentKey, limits::Limits},
    domain::{
        Error, Kind, Result,
        bounds::Bounds,
        clock::Clock,
        key::{KeyId, KeyRecord, PresentedKey, Role},
        last_use::LastUse,
        pack::Packs,
        random::Entropy,
        rate_class::RateClass,
        secret::Secret,
        tenant::{Tenant, TenantLabel},
        tool::ToolName,
    },
};

/// How long an old secret may work beside the new one, at most.
pub const MAX_OVERLAP: Duration = Duration::from_hours(24 * 30);

/// Between two writes of the same minute's use.
const MINUTE: Duration = Duration::from_mins(1);

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
    /// What it may not.
    pub bounds: Bounds,
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
    /// The rates that a key can be given.
    classes: BTreeSet<RateClass>,
    /// Held over a revocation and a change of secret, so that the second of two finds it done.
    changing: Mutex<()>,
    /// The last marks of use that were written.
    saved_uses: Mutex<HashMap<KeyId, LastUse>>,
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
        limits: &Limits,
    ) -> Result<Self> {
        let (stored, tag_key) = loaded;
        let fingerprints = Fingerprints::random(entropy.as_ref());
        let environment = environment::load(environment, tenants, &fingerprints, clock.now())?;
        let saved_uses = stored
            .iter()
            .filter_map(|s| Some((s.record.id.clone(), s.last_use.clone()?)))
            .collect::<HashMap<_, _>>();
        let made = stored
            .into_iter()
            .map(|s| (s.record.id.clone(), Arc::new(Key::made(s.record, s.proofs, s.last_use))))
            .collect();
        Ok(Self {
            control,
            clock,
            entropy,
            tagger: Tagger::new(&tag_key.0),
            fingerprints,
            environment,
            made: RwLock::new(made),
            classes: limits.classes.keys().cloned().collect(),
            changing: Mutex::default(),
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
        rule::check(&new, &self.classes, now)?;
        let presented = PresentedKey::random(self.entropy.as_ref());
        let proof = Proof::make(&presented.secret, &self.tagger, self.entropy.as_ref())?;
        let record = KeyRecord {
            id: presented.id.clone(),
            role: new.role,
            tenant: new.tenant,
            name: new.name,
            // Who names single tools means the packs that they are of.
            packs: new
                .packs
                .or_else(|| Some(new.bounds.tools?.iter().map(ToolName::pack).collect())),
            act_as: new.act_as,
            bounds: new.bounds,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        self.control.insert_key(&record, &proof)?;
        let key = Arc::new(Key::made(record, vec![Arc::new(proof)], None));
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
        let _revoking = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = self.get(id) else { return Ok(false) };
        if key.proofs().is_empty() {
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

    /// Gives a key a new secret: its text, told this once. The secret before it works until
    /// `overlap` has passed, and one from before that no more. Returns `None` when there is no such
    /// key. Hashes and writes to the disk: call it from the blocking pool.
    ///
    /// # Errors
    /// `BadInput` for an overlap over [`MAX_OVERLAP`]; `Conflict` for a key from the environment
    /// and for one that works no more; `Unavailable` when it cannot be written: then every secret
    /// works as before.
    pub fn rotate(&self, id: &KeyId, overlap: Duration) -> Result<Option<(Arc<Key>, Secret)>> {
        if overlap > MAX_OVERLAP {
            return Err(Error::bad_input("an old secret works beside the new one for 30d at most"));
        }
        if self.get(id).is_none() {
            return Ok(None);
        }
        // Before the lock: hashing takes long, and a revocation shall not wait for it.
        let presented = PresentedKey::renewed(id.clone(), self.entropy.as_ref());
        let proof = Proof::make(&presented.secret, &self.tagger, self.entropy.as_ref())?;
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = self.get(id) else { return Ok(None) };
        let Some(present) = key.proofs().first() else {
            return Err(Error::new(
                Kind::Conflict,
                "this key comes from the environment; change it there and restart",
            ));
        };
        if !key.works(self.clock.as_ref()) {
            return Err(Error::new(Kind::Conflict, "this key works no more; make a new one"));
        }
        let end = self.clock.now().checked_add(overlap).map_err(Error::internal)?;
        self.control.rotate_key(id, &proof, end)?;
        // Written first: a restart between the two finds what the caller was told.
        present.end_at(end);
        for old in key.proofs().iter().skip(1) {
            old.end_at(self.clock.now());
        }
        let proofs = [Arc::new(proof), Arc::clone(present)];
        let key = Arc::new(key.with(Box::new(proofs)));
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.insert(id.clone(), Arc::clone(&key));
        drop(made);
        Ok(Some((key, presented.reveal())))
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
        let minute_ago = self.clock.now().checked_sub(MINUTE).map_err(Error::internal)?;
        // Address and client may change with every request; they are written with the next minute.
        let is_new =
            |old: &LastUse, new: &LastUse| old.at < new.at || (old != new && old.at <= minute_ago);
        let news: Vec<_> = self
            .all_made()
            .values()
            .filter_map(|key| Some((&key.record.id, key.last_use()?)))
            .filter(|(id, new)| saved.get(*id).is_none_or(|old| is_new(old, new)))
            .map(|(id, new)| (id.clone(), new))
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

    /// Makes the tags that [`Proof::likely`] compares.
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

#[cfg(test)]
mod tests;
