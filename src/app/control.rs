//! The part of the house that stands without a server: the data directory and the registry.
//!
//! `serve` opens it first; the commands that make and revoke keys open it alone, while no
//! server runs. Whoever has one holds the lock on the directory.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    audit::{Log, Record},
    config::Settings,
    db::data_dir::DataDir,
    domain::{
        Result,
        action::Action,
        clock::{Clock, SystemClock},
        random::{Entropy, OsEntropy},
    },
    registry::Registry,
};

/// The data directory, locked, and what is registered in it.
#[derive(Debug)]
pub struct Control {
    /// Where everything lies.
    pub data: DataDir,
    /// Tenants, keys, sessions.
    pub registry: Registry,
    /// The record of decisions.
    pub audit: Mutex<Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Control {
    /// Opens the data directory of `settings`, making it when it is missing. Blocks: start-up
    /// and the command line only.
    ///
    /// # Errors
    /// `BadInput` when the directory is not safe to use; `Conflict` when another process holds
    /// it; `Unavailable` when it, or the registry in it, cannot be used.
    pub fn open(settings: &Settings) -> Result<Self> {
        let data = DataDir::open(&settings.storage.data_dir)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let registry = Registry::open(
            &data,
            Arc::clone(&clock),
            Arc::clone(&entropy),
            &settings.limits,
            &settings.auth.environment_keys,
        )?;
        let log = Log::open(&data, &settings.audit, Arc::clone(&clock), entropy.as_ref())?;
        Ok(Self { data, registry, audit: Mutex::new(log), clock, entropy })
    }

    /// Does something while no server runs, and records it. Nothing is done when there is no room
    /// for its record (I10), but for what takes rights away.
    ///
    /// # Errors
    /// `Unavailable` when the record cannot be written; otherwise what `what` fails with.
    pub fn recorded<T>(
        &self,
        action: Action,
        target: impl FnOnce(&T) -> String,
        what: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if !action.takes_away() {
            self.audit.lock().unwrap_or_else(PoisonError::into_inner).probe()?;
        }
        let done = what();
        let target = done.as_ref().ok().map(target);
        let mut log = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(&Record::command(action, target.as_deref(), &done))?;
        done
    }
}
