//! The data plane: one tenant's memories, reachable only with a [`Permit`](crate::policy::Permit).

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
