//! Where an issuer's keys come from, and how often anybody asks.
//!
//! One fetch at a time, and one a minute at most, whoever wants it: the clock, or a token with a
//! key id that is not in the set. A fetch that was begun is finished even when the request that
//! wanted it hangs up. What is fetched takes the place of what was there only when it has a key
//! that can be used; the last good set is used until it is too old (`max_stale`), and then
//! nothing is.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::{
    fetch::Fetcher,
    jwks::{KeySet, PublicKey},
};
use crate::{
    config::{form::url::Url, issuer::Issuer},
    domain::{Error, Kind, Result, clock::Clock, strict_json},
};

/// Between the beginnings of two fetches.
const APART: Duration = Duration::from_mins(1);
/// A key id that was not there is not looked for again so long.
const UNKNOWN_FOR: Duration = Duration::from_mins(5);
/// So many unknown ids are remembered.
const MAX_UNKNOWN: usize = 1024;
/// So many requests may wait for a fetch.
const MAX_WAITING: usize = 64;
/// The largest file of keys.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// One issuer's keys.
pub(in crate::auth) struct Source(Arc<Inner>);

struct Inner {
    issuer: Issuer,
    fetcher: Fetcher,
    current: ArcSwap<Snapshot>,
    state: Mutex<State>,
    /// Held over a fetch.
    turn: Arc<tokio::sync::Mutex<()>>,
    waiting: Semaphore,
    fetches: AtomicU64,
    failures: AtomicU64,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

/// An issuer's keys as operators see them.
#[derive(Debug, Clone, Serialize)]
pub struct IssuerStatus {
    /// Its name.
    pub issuer: String,
    /// Its keys that can verify something.
    pub keys: usize,
    /// Whether its tokens can be verified now.
    pub usable: bool,
    /// How old the keys are, in seconds; none for those of a file, which do not age.
    pub age_seconds: Option<u64>,
    /// How often they were asked for.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

/// The keys, and since when they are known.
#[derive(Debug, Default)]
struct Snapshot {
    keys: KeySet,
    /// Time of the monotonic clock; `None` for keys of a file, which do not age.
    since: Option<Duration>,
}

#[derive(Debug, Default)]
struct State {
    asked: Option<Duration>,
    unknown: HashMap<Box<str>, Duration>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("issuer", &self.0.issuer.issuer).finish_non_exhaustive()
    }
}

impl Source {
    /// Reads the file of keys; what has to be fetched comes later.
    ///
    /// # Errors
    /// `BadInput` when a file cannot be used.
    pub(in crate::auth) fn new(
        issuer: &Issuer,
        clock: Arc<dyn Clock>,
        tasks: TaskTracker,
    ) -> Result<Self> {
        let inner = Inner {
            issuer: issuer.clone(),
            fetcher: Fetcher::new(issuer.ca_file.as_deref(), issuer.timeout)?,
            current: ArcSwap::default(),
            state: Mutex::default(),
            turn: Arc::default(),
            waiting: Semaphore::new(MAX_WAITING),
            fetches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            clock,
            tasks,
        };
        let source = Self(Arc::new(inner));
        source.read_file()?;
        Ok(source)
    }

    /// The key with this id, fetched if need be; `None` when there is no such key.
    ///
    /// # Errors
    /// `Overloaded` when the issuer's keys are not known at the moment, or too many wait.
    pub(in crate::auth) async fn find(&self, kid: Option<&str>) -> Result<Option<Arc<PublicKey>>> {
        let inner = &self.0;
        if let Some(key) = inner.look(kid) {
            return Ok(Some(key));
        }
        // With keys at hand, only a name that is not among them is worth asking for.
        let name = kid.filter(|_| inner.is_usable());
        if inner.is_file() || (inner.is_usable() && kid.is_none()) || inner.is_unknown(name) {
            return inner.conclude();
        }
        let Ok(_waiting) = inner.waiting.try_acquire() else {
            return Err(later(Duration::from_secs(1)));
        };
        // Whoever comes while a fetch is under way waits for its end here.
        let turn = Arc::clone(&inner.turn).lock_owned().await;
        if let Some(key) = inner.look(kid) {
            return Ok(Some(key));
        }
        if inner.begin() {
            let work = Arc::clone(inner);
            let fetch = async move {
                let _turn = turn;
                work.fetch().await;
            };
            inner.tasks.spawn(fetch).await.map_err(Error::internal)?;
            if let Some(key) = inner.look(kid) {
                return Ok(Some(key));
            }
            inner.remember_unknown(name);
        }
        inner.conclude()
    }

    /// Fetches in the background what is due. Must be called within a runtime.
    pub(in crate::auth) fn tend(&self) {
        if !self.0.is_due() {
            return;
        }
        let inner = Arc::clone(&self.0);
        let Ok(turn) = Arc::clone(&inner.turn).try_lock_owned() else { return };
        if inner.begin() {
            let work = Arc::clone(&inner);
            inner.tasks.spawn(async move {
                let _turn = turn;
                work.fetch().await;
            });
        }
    }

    /// Reads the file again, or has the keys fetched again as soon as that is allowed.
    pub(in crate::auth) fn reload(&self) {
        if let Err(error) = self.read_file() {
            tracing::error!(%error, "the keys of an issuer were not taken");
        }
        self.tend();
    }

    /// Whether a key is still among those that count.
    pub(in crate::auth) fn still_has(&self, digest: &[u8; 32]) -> bool {
        self.0.is_usable() && self.0.current.load().keys.has(digest)
    }

    /// The keys as operators see them.
    pub(in crate::auth) fn status(&self) -> IssuerStatus {
        let snapshot = self.0.current.load();
        IssuerStatus {
            issuer: self.0.issuer.issuer.clone(),
            keys: snapshot.keys.len(),
            usable: self.0.counts(&snapshot),
            age_seconds: snapshot.since.map(|since| self.0.age(since).as_secs()),
            fetches: self.0.fetches.load(Ordering::Relaxed),
            failures: self.0.failures.load(Ordering::Relaxed),
        }
    }

    fn read_file(&self) -> Result<()> {
        let Some(path) = &self.0.issuer.jwks_file else { return Ok(()) };
        let refuse = |why: &dyn fmt::Display| {
            Error::bad_input(format!("the `jwks_file` {} {why}", path.display()))
        };
        let text = crate::config::load::small_file(path, MAX_FILE_BYTES)
            .map_err(|e| refuse(&format_args!("cannot be read: {e}")))?;
        let keys =
            KeySet::parse(text.as_bytes(), &self.0.issuer.algorithms).map_err(|e| refuse(&e))?;
        self.0.take(keys, None);
        Ok(())
    }
}

impl Inner {
    fn is_file(&self) -> bool {
        self.issuer.jwks_file.is_some()
    }

    fn look(&self, kid: Option<&str>) -> Option<Arc<PublicKey>> {
        let snapshot = self.current.load();
        snapshot.keys.find(kid).filter(|_| self.counts(&snapshot))
    }

    fn is_usable(&self) -> bool {
        self.counts(&self.current.load())
    }

    fn counts(&self, snapshot: &Snapshot) -> bool {
        !snapshot.keys.is_empty()
            && snapshot.since.is_none_or(|since| self.age(since) < self.issuer.max_stale)
    }

    fn age(&self, since: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(since)
    }

    /// No such key; or nobody can say at the moment.
    fn conclude(&self) -> Result<Option<Arc<PublicKey>>> {
        if self.is_usable() {
            return Ok(None);
        }
        let asked = self.state().asked;
        Err(later(asked.map_or(Duration::from_secs(1), |at| APART.saturating_sub(self.age(at)))))
    }

    fn is_unknown(&self, kid: Option<&str>) -> bool {
        let since = kid.and_then(|kid| self.state().unknown.get(kid).copied());
        since.is_some_and(|since| self.age(since) < UNKNOWN_FOR)
    }

    fn remember_unknown(&self, kid: Option<&str>) {
        let Some(kid) = kid.filter(|_| self.is_usable()) else { return };
        let mut state = self.state();
        if state.unknown.len() >= MAX_UNKNOWN {
            state.unknown.retain(|_, since| self.age(*since) < UNKNOWN_FOR);
        }
        if state.unknown.len() < MAX_UNKNOWN {
            state.unknown.insert(kid.into(), self.clock.monotonic());
        }
    }

    fn is_due(&self) -> bool {
        let since = self.current.load().since;
        !self.is_file() && since.is_none_or(|since| self.age(since) >= self.issuer.refresh)
    }

    /// Whether a fetch may begin now; then it counts as begun.
    fn begin(&self) -> bool {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.asked.is_some_and(|at| now.saturating_sub(at) < APART) {
            return false;
        }
        state.asked = Some(now);
        true
    }

    async fn fetch(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let issuer = &self.issuer.issuer;
        let fetched = self.document().await.and_then(|bytes| {
            KeySet::parse(&bytes, &self.issuer.algorithms).map_err(Error::unavailable)
        });
        match fetched {
            Ok(keys) => {
                tracing::debug!(issuer, keys = keys.len(), "the keys of an issuer were fetched");
                self.take(keys, Some(self.clock.monotonic()));
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                let usable = self.is_usable();
                tracing::warn!(%error, issuer, usable, "the keys of an issuer were not fetched");
            }
        }
    }

    async fn document(&self) -> Result<bytes::Bytes> {
        if let Some(url) = &self.issuer.jwks_url {
            return self.fetcher.get(url).await;
        }
        let name = self.issuer.issuer.trim_end_matches('/');
        let url = Url::parse(&format!("{name}/.well-known/openid-configuration"))
            .ok_or_else(|| Error::unavailable("its name is no https URL"))?;
        let found = strict_json::object(&self.fetcher.get(&url).await?);
        let found = found.ok_or_else(|| Error::unavailable("discovery found no JSON object"))?;
        // SECURITY: a document of another issuer leads to another issuer's keys (RFC 8414 3.3).
        if found.get("issuer").and_then(Value::as_str) != Some(self.issuer.issuer.as_str()) {
            return Err(Error::unavailable("discovery found the document of another issuer"));
        }
        let keys = found.get("jwks_uri").and_then(Value::as_str).and_then(Url::parse);
        let keys = keys.filter(|url| url.is_encrypted() || self.issuer.allow_http);
        let keys = keys.ok_or_else(|| Error::unavailable("discovery found no good `jwks_uri`"))?;
        self.fetcher.get(&keys).await
    }

    fn take(&self, keys: KeySet, since: Option<Duration>) {
        let changed = !self.current.load().keys.is_like(&keys);
        self.current.store(Arc::new(Snapshot { keys, since }));
        if changed {
            self.state().unknown.clear();
            tracing::info!(issuer = self.issuer.issuer, "the keys of an issuer are others now");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(retry_after: Duration) -> Error {
    let kind = Kind::Overloaded { retry_after: retry_after.max(Duration::from_secs(1)) };
    Error::new(kind, "the keys of this token's issuer are not known at the moment")
}
