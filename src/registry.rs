//! The control plane: tenants, keys and sessions, everything needed *before* a decision exists.
//!
//! Reads are answered from memory, so that an unauthenticated caller can cause no SQL (I7);
//! writes go to `control.db` first and are visible at once. Secrets are never here: a key's
//! record carries an argon2id hash, and the hash never leaves the rooms `registry` and `auth`.

#[cfg(test)]
mod conformance;
mod control;
pub mod fingerprint;
pub mod keyring;
pub mod ledger;
mod sqlite;
pub mod tenants;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use self::{
    control::{ControlStore, Loaded, TagKey},
    keyring::{Key, Keyring, NewKey},
    ledger::Ledger,
    sqlite::SqliteControl,
    tenants::Tenants,
};
use crate::{
    config::{auth::EnvironmentKey, limits::Limits},
    db::data_dir::DataDir,
    domain::{Error, Result, clock::Clock, random::Entropy, secret::Secret},
};

/// The control plane of one deployment.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The tenants.
    pub tenants: Arc<Tenants>,
    /// The keys.
    pub keys: Arc<Keyring>,
    /// The sessions.
    pub ledger: Arc<Ledger>,
}

impl Registry {
    /// Opens the control plane of a data directory and reads all of it into memory. Tenants of
    /// environment keys are made when they are missing. Blocks: start-up only.
    ///
    /// # Errors
    /// `BadInput` for environment keys that do not fit together; `Unavailable` when the
    /// database, or one row of it, cannot be used.
    pub fn open(
        data_dir: &DataDir,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        limits: &Limits,
        environment: &[EnvironmentKey],
    ) -> Result<Self> {
        let control = Arc::new(SqliteControl::open(data_dir, Arc::clone(&clock))?);
        Self::over(control, clock, entropy, limits, environment)
    }

    fn over(
        control: Arc<dyn ControlStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        limits: &Limits,
        environment: &[EnvironmentKey],
    ) -> Result<Self> {
        let mut fresh = TagKey([0; 32]);
        entropy.fill(&mut fresh.0);
        let Loaded { tenants, keys, totals, tag_key } = control.load(&fresh, clock.now())?;
        let tenants =
            Tenants::new(Arc::clone(&control), Arc::clone(&clock), Arc::clone(&entropy), tenants);
        let keys = Keyring::new(
            Arc::clone(&control),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            (keys, &tag_key),
            environment,
            &tenants,
            limits,
        )?;
        let ledger = Ledger::new(control, clock, entropy, limits, totals);
        Ok(Self { tenants: Arc::new(tenants), keys: Arc::new(keys), ledger: Arc::new(ledger) })
    }

    /// Makes a key, as [`Keyring::create`] does, for tenants that are all there. SECURITY: a name
    /// in `act_as` that nobody has yet would open the memory of whoever gets it later
    /// (test `i3_a_key_acts_for_nobody_who_is_not_there_yet`).
    ///
    /// # Errors
    /// As [`Keyring::create`]; `NotFound` for a name in `act_as` that no tenant has.
    pub fn create_key(&self, new: NewKey) -> Result<(Arc<Key>, Secret)> {
        if new.act_as.iter().any(|label| self.tenants.by_label(label).is_none()) {
            return Err(Error::not_found("a tenant named in `act_as`"));
        }
        self.keys.create(new)
    }

    /// Once a second, from the blocking pool: ends what is expired or idle, and writes what is
    /// written in batches.
    ///
    /// # Errors
    /// `Unavailable` when something cannot be written; everything else was done.
    pub fn sweep(&self) -> Result<()> {
        let (keys, sessions) = (self.keys.sweep(), self.ledger.sweep());
        keys.and(sessions)
    }
}
