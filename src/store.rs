//! The data plane: one tenant's memories, reachable only with a [`Permit`](crate::policy::Permit).
//!
//! [`pool`] turns a permit into an open store that does what the permit's action is about and no
//! more; `dir` decides whether a tenant's files may be trusted; `sqlite` keeps memories in them.
//! What a memory is stands in `domain::memory`, how a file is opened in `db`.

#[cfg(test)]
mod conformance;

mod capacity;
mod dir;
mod lease;
pub mod pool;
mod sqlite;

use async_trait::async_trait;

use crate::domain::{
    Result,
    memory::{Hits, Memory, MemoryId, MemoryPatch, NewMemory, Query, Tag, Usage},
};

/// One tenant's memories. Every implementation passes the same conformance suite.
///
/// A write that returns `Ok` survives `kill -9` (I6). Dropping a future never leaves half a
/// write: it happens whole, or not at all.
///
/// # How to add a backend
/// 1. Connections and migrations go to `db/`, beside `db::sqlite`; nothing there knows a memory.
/// 2. `store/<backend>.rs` implements this trait for one tenant. The clock is an argument, `None`
///    is "no such memory", errors carry a [`Kind`](crate::domain::Kind) and no word of the
///    backend in their public sentence.
/// 3. Its tests call `conformance!` (see `store/conformance.rs`) with a function that makes a
///    fresh, empty store. The suite is the definition: when it passes, the tools work.
/// 4. `store::pool` chooses the backend by a setting of `config::storage`, and keeps the rule
///    that only a permit opens a store; `store::lease` needs no change.
/// 5. What only this backend can get wrong (a tenant's rows seen by another, a setting left on a
///    pooled connection, a damaged file) gets tests beside it that carry the invariant's name.
#[async_trait]
pub trait TenantStore: std::fmt::Debug + Send + Sync {
    /// Stores a memory under a new id.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    async fn put(&self, new: NewMemory) -> Result<Memory>;

    /// The memory with this id.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn get(&self, id: &MemoryId) -> Result<Option<Memory>>;

    /// Changes a memory; `None` when there is none with this id.
    ///
    /// # Errors
    /// `TooLarge`, `Unavailable`.
    async fn update(&self, id: &MemoryId, patch: MemoryPatch) -> Result<Option<Memory>>;

    /// Deletes a memory and returns it; `None` when there is none with this id.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn delete(&self, id: &MemoryId) -> Result<Option<Memory>>;

    /// Answers a query.
    ///
    /// # Errors
    /// `Timeout` when it takes longer than `storage.query_timeout`; `Unavailable`.
    async fn search(&self, query: Query) -> Result<Hits>;

    /// Counts.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn usage(&self) -> Result<Usage>;

    /// Tags that start with `prefix` (case ignored), the most used first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn tags(&self, prefix: &str, limit: usize) -> Result<Vec<Tag>>;
}
