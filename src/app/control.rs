//! The part of the house that stands without a server: the data directory and the registry.
//!
//! `serve` opens it first; the commands that make and revoke keys open it alone, while no
//! server runs. Whoever has one holds the lock on the directory.

use std::sync::Arc;

use crate::{
    config::Settings,
    db::data_dir::DataDir,
    domain::{
        Result,
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
        Ok(Self { data, registry, clock, entropy })
    }
}
