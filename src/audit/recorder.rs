//! Takes records from everywhere, and writes them in order and in groups.
//!
//! Whoever records something hands it over and goes on; who must not answer before it is on the
//! disk waits for a [`Receipt`]. One thread writes: what came in while it waited for the disk is
//! its next group. A failing disk loses nothing: records wait in memory, changes are refused
//! ([`Recorder::admit`]), and when too many wait, everything is.

mod queue;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use self::{
    queue::{Admission, Queue},
    writer::Writer,
};
use super::{
    Log, Record,
    checkpoint::PublicKey,
    digest::{Digester, Digests},
    head::Head,
};
use crate::{
    domain::{Error, Kind, Result, action::Access, clock::Clock},
    telemetry::refusals::Layer,
};

/// So long a disk may take for a record.
const PATIENCE: Duration = Duration::from_secs(10);

/// Records decisions.
pub struct Recorder {
    directory: PathBuf,
    public_key: PublicKey,
    queue: Arc<Queue>,
    digester: Digester,
    clock: Arc<dyn Clock>,
    /// Cancelled when nobody writes any more.
    ended: CancellationToken,
    /// Who reads the whole log over the network: one at a time.
    reading: Arc<Semaphore>,
}

/// The log as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The last record.
    pub head: Head,
    /// The last record that a signature speaks of.
    pub signed: Head,
    /// The key that signs, in base64.
    pub public_key: String,
    /// Records that wait to be written.
    pub waiting: usize,
    /// Records that could not be kept because too many waited.
    pub lost: u64,
    /// Whether the log takes records.
    pub writable: bool,
    /// What was not as it was left; `memgate audit verify` says more.
    pub trouble: Vec<String>,
}

/// Tells when a record is on the disk.
#[derive(Debug)]
#[must_use = "the record is not on the disk before this says so"]
pub struct Receipt(oneshot::Receiver<()>);

impl Receipt {
    /// Waits until the record survives a power cut.
    ///
    /// # Errors
    /// `Unavailable` when it could not be written.
    pub async fn written(self) -> Result<()> {
        // A disk that stands still is one that fails.
        let written = tokio::time::timeout(PATIENCE, self.0).await;
        written.ok().and_then(Result::ok).ok_or_else(|| {
            let sentence =
                "this was done, but the audit log cannot be written; look before you retry";
            Error::new(Kind::Unavailable, sentence)
        })
    }
}

impl Recorder {
    /// Begins to write to `log`, on a thread of its own that ends with [`close`](Self::close).
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(log: Log, clock: Arc<dyn Clock>) -> Result<Self> {
        let (digester, ended) = (log.digester().clone(), CancellationToken::new());
        let (directory, public_key) = (log.directory().to_owned(), log.public_key());
        let queue = Arc::new(Queue::new(status(&log)));
        let writer = Writer::new(log, Arc::clone(&queue), Arc::clone(&clock));
        let end = ended.clone().drop_guard();
        let work = move || {
            let _end = end;
            writer.run();
        };
        thread::Builder::new().name("audit".to_owned()).spawn(work).map_err(Error::internal)?;
        let reading = Arc::new(Semaphore::new(1));
        Ok(Self { directory, public_key, queue, digester, clock, ended, reading })
    }

    /// Whether something may be done that will have to be recorded. INVARIANT I10: asked before
    /// a change is made (`i10_without_a_log_nothing_changes`).
    ///
    /// # Errors
    /// `Unavailable` for a change while the log cannot be written, and for everything while too
    /// many records wait.
    pub fn admit(&self, access: Access) -> Result<()> {
        match (self.queue.admission(), access) {
            (Admission::All, _) | (Admission::Reads, Access::Read) => Ok(()),
            _ => Err(unwritable()),
        }
    }

    /// Records something that need not be on the disk before anybody hears of it.
    pub fn record(&self, record: &Record<'_>) {
        if let Some(object) = self.object(record) {
            self.queue.push(object, None);
        }
    }

    /// Records something that must be on the disk before anybody hears of it.
    pub fn record_durably(&self, record: &Record<'_>) -> Receipt {
        let (done, receipt) = oneshot::channel();
        if let Some(object) = self.object(record) {
            self.queue.push(object, Some(done));
        }
        Receipt(receipt)
    }

    /// Records a refusal that anybody can cause; of very many, only some each.
    pub fn record_refusal(&self, layer: Layer, record: &Record<'_>) {
        if self.queue.admits(self.clock.monotonic(), layer) {
            self.record(record);
        }
    }

    /// What stands in a record for these arguments, whose names are declared ones.
    #[must_use]
    pub fn digests(&self, arguments: &Map<String, Value>) -> Digests {
        self.digester.arguments(arguments)
    }

    /// Where the log lies, for those who read it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The key that signs it.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The place of the one who reads the log for somebody over the network; kept for as long as
    /// the reading goes on, whether or not anybody still waits for it. INVARIANT I11: reading all
    /// of a large log takes a processor for seconds, and must not take all of them.
    ///
    /// # Errors
    /// `Overloaded` while somebody else reads.
    pub fn reading(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.reading).try_acquire_owned().map_err(|_| {
            let kind = Kind::Overloaded { retry_after: Duration::from_secs(1) };
            Error::new(kind, "somebody else reads the audit log; retry in a second")
        })
    }

    /// The log as operators see it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.queue.status()
    }

    /// Writes what waits, signs the head, and returns when nothing runs any more.
    pub async fn close(&self) {
        self.queue.close();
        self.ended.cancelled().await;
    }

    fn object(&self, record: &Record<'_>) -> Option<String> {
        record
            .object(self.clock.now())
            .inspect_err(|error| tracing::error!(%error, "a record could not be made"))
            .ok()
    }
}

/// A recorder that nobody closed has nobody to wait for it either.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.status().head)
    }
}

fn status(log: &Log) -> Status {
    Status {
        head: log.last(),
        signed: log.signed(),
        public_key: log.public_key().to_string(),
        waiting: 0,
        lost: 0,
        writable: true,
        trouble: log.trouble().to_vec(),
    }
}

fn unwritable() -> Error {
    let sentence = "the audit log cannot be written, so nothing is changed; retry later";
    Error::new(Kind::Unavailable, sentence)
}

#[cfg(test)]
mod tests;
