//! argon2 on a short leash: so many at once, so many waiting, each text once.
//!
//! One run takes 19 MiB and tens of milliseconds, which is the point of it and the danger of it.
//! A run that was begun is finished even when its caller hangs up, and holds its place until
//! then. Texts that were found wrong are remembered, so that the one guess in 65,536 that passes
//! the tag cannot be sent again and again (I7).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::TaskTracker;

use crate::{
    config::auth::Auth,
    domain::{Error, Kind, Result, secret::Secret},
    registry::{fingerprint::Fingerprint, keyring::Proof},
};

/// Wrong texts that are remembered.
const MAX_REFUSED: u64 = 4_096;
/// A full queue is worked off in less than this.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// The proof that a text matches, if it matches one.
type Verdict = Option<Arc<Proof>>;

/// Runs argon2 for everybody.
#[derive(Debug)]
pub(in crate::auth) struct Verifier {
    /// Running and waiting together.
    places: Arc<Semaphore>,
    /// Running.
    permits: Arc<Semaphore>,
    flights: Mutex<HashMap<Fingerprint, Arc<OnceCell<Verdict>>>>,
    refused: Cache<Fingerprint, ()>,
    runs: Arc<AtomicU64>,
    tasks: TaskTracker,
    #[cfg(test)]
    pub(in crate::auth) between: super::testing::Between,
}

impl Verifier {
    pub(in crate::auth) fn new(settings: &Auth, tasks: TaskTracker) -> Self {
        let permits = settings.verifier_permits.max(1);
        Self {
            places: Arc::new(Semaphore::new(permits.saturating_add(settings.verifier_queue))),
            permits: Arc::new(Semaphore::new(permits)),
            flights: Mutex::default(),
            refused: Cache::new(MAX_REFUSED),
            runs: Arc::default(),
            tasks,
            #[cfg(test)]
            between: super::testing::Between::default(),
        }
    }

    /// How often argon2 ran.
    pub(in crate::auth) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Joins those who verify this text now, or begins. Whoever keeps the flight until it has
    /// remembered the verdict elsewhere makes sure that nobody runs argon2 for it again.
    pub(in crate::auth) fn join(&self, text: Fingerprint) -> Flight<'_> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = Arc::clone(flights.entry(text).or_default());
        Flight { verifier: self, text, verdict }
    }

    async fn run(&self, likely: &[Arc<Proof>], secret: Secret) -> Result<Verdict> {
        let full = || {
            let kind = Kind::Overloaded { retry_after: FULL_RETRY };
            Error::new(kind, "too many keys are being verified; retry in 1 s")
        };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Error::internal)?;
        let (likely, runs) = (likely.to_vec(), Arc::clone(&self.runs));
        let work = move || {
            let _held = (place, permit);
            likely.into_iter().find(|proof| {
                runs.fetch_add(1, Ordering::Relaxed);
                proof.matches(&secret)
            })
        };
        self.tasks.spawn_blocking(work).await.map_err(Error::internal)
    }
}

/// One text being verified, by however many requests.
#[derive(Debug)]
pub(in crate::auth) struct Flight<'v> {
    verifier: &'v Verifier,
    text: Fingerprint,
    verdict: Arc<OnceCell<Verdict>>,
}

impl Flight<'_> {
    /// Which of the `likely` proofs the secret is of, if it is of one. When the request that runs
    /// argon2 hangs up, the next one takes over.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full.
    pub(in crate::auth) async fn verify(
        &self,
        likely: &[Arc<Proof>],
        secret: Secret,
    ) -> Result<Verdict> {
        if self.verifier.refused.contains_key(&self.text) {
            return Ok(None);
        }
        let run = || self.verifier.run(likely, secret);
        let verdict = self.verdict.get_or_try_init(run).await?.clone();
        if verdict.is_none() {
            self.verifier.refused.insert(self.text, ());
        }
        #[cfg(test)]
        self.verifier.between.pass();
        Ok(verdict)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = self.verifier.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Two: the table's own and this one.
        if Arc::strong_count(&self.verdict) <= 2 {
            flights.remove(&self.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::testing::World,
        domain::{key::PresentedKey, random::OsEntropy},
    };

    #[tokio::test]
    async fn i7_a_wrong_text_costs_argon2_once() {
        let world = World::new();
        let (key, _) = world.key(world.agent_key("acme"));
        let proofs = key.proofs();
        let verifier = Verifier::new(&world.settings.auth, TaskTracker::new());
        let ask = async |guess: &PresentedKey| {
            let text = world.registry.keys.fingerprint(guess.reveal().expose());
            verifier.join(text).verify(proofs, guess.secret.clone()).await.unwrap().is_some()
        };
        let guess = PresentedKey::random(&OsEntropy);
        assert!(!ask(&guess).await && !ask(&guess).await);
        assert_eq!(verifier.runs(), 1, "the second time it is remembered");
        assert!(!ask(&PresentedKey::random(&OsEntropy)).await);
        assert_eq!(verifier.runs(), 2, "another text is another question");
        assert!(verifier.flights.lock().unwrap().is_empty(), "nothing is left behind");
    }
}
