//! A tenant's store in memory: as simple as can be, so that the tools' tests test the tools.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;

use crate::{
    domain::{
        Error, Result,
        clock::{Clock, ManualClock},
        memory::{Hit, Hits, Memory, MemoryId, MemoryPatch, NewMemory, Query, Tag, Usage},
    },
    store::TenantStore,
};

/// Memories in the order in which they were stored.
#[derive(Debug)]
pub(in crate::tools) struct MemoryStore {
    clock: Arc<ManualClock>,
    memories: Mutex<Vec<Memory>>,
    broken: AtomicBool,
}

impl MemoryStore {
    pub(in crate::tools) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, memories: Mutex::default(), broken: AtomicBool::new(false) }
    }

    /// Everything, oldest first.
    pub(in crate::tools) fn all(&self) -> Vec<Memory> {
        self.memories.lock().unwrap().clone()
    }

    /// From now on every call fails, as when the disk is gone.
    pub(in crate::tools) fn break_down(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    fn open(&self) -> Result<MutexGuard<'_, Vec<Memory>>> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::unavailable("the disk is gone"));
        }
        Ok(self.memories.lock().unwrap())
    }
}

#[async_trait]
impl TenantStore for MemoryStore {
    async fn put(&self, new: NewMemory) -> Result<Memory> {
        let now = self.clock.now();
        let mut memories = self.open()?;
        let safe =
            |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '_' };
        let name: String = new.filename.chars().map(safe).take(100).collect();
        let base = format!("{}_{name}", now.strftime("%Y%m%d_%H%M%S"));
        let taken = |id: &str| memories.iter().any(|m| m.id.as_str() == id);
        let mut id = base.clone();
        for n in 2.. {
            if !taken(&id) {
                break;
            }
            id = format!("{base}-{n}");
        }
        let memory = Memory {
            id: MemoryId::parse(&id).unwrap(),
            kind: new.kind,
            filename: new.filename,
            description: new.description,
            content: new.content,
            response: new.response,
            tags: new.tags,
            created_at: now,
            updated_at: now,
            author: new.author,
        };
        memories.push(memory.clone());
        Ok(memory)
    }

    async fn get(&self, id: &MemoryId) -> Result<Option<Memory>> {
        Ok(self.open()?.iter().find(|m| m.id == *id).cloned())
    }

    async fn update(&self, id: &MemoryId, patch: MemoryPatch) -> Result<Option<Memory>> {
        let now = self.clock.now();
        let mut memories = self.open()?;
        let Some(memory) = memories.iter_mut().find(|m| m.id == *id) else { return Ok(None) };
        memory.content = patch.content.unwrap_or_else(|| memory.content.clone());
        memory.filename = patch.filename.unwrap_or_else(|| memory.filename.clone());
        memory.description = patch.description.unwrap_or_else(|| memory.description.clone());
        memory.tags = patch.tags.unwrap_or_else(|| memory.tags.clone());
        memory.updated_at = now;
        Ok(Some(memory.clone()))
    }

    async fn delete(&self, id: &MemoryId) -> Result<Option<Memory>> {
        let mut memories = self.open()?;
        let place = memories.iter().position(|m| m.id == *id);
        Ok(place.map(|place| memories.remove(place)))
    }

    async fn search(&self, query: Query) -> Result<Hits> {
        let words = query.text.as_deref().unwrap_or_default().to_lowercase();
        let tag = query.tag.as_ref().map(|tag| tag.as_str().to_lowercase());
        let mut found: Vec<Hit> = self
            .open()?
            .iter()
            .rev()
            .filter(|m| query.kinds.is_empty() || query.kinds.contains(&m.kind))
            .filter(|m| query.since.is_none_or(|since| m.created_at >= since))
            .filter(|m| query.before.is_none_or(|before| m.created_at < before))
            .filter(|m| {
                let has = |t: &String| m.tags.iter().any(|tag| tag.as_str().to_lowercase() == *t);
                tag.as_ref().is_none_or(has)
            })
            .filter(|m| {
                let text = format!("{} {} {}", m.filename, m.description, m.content);
                text.to_lowercase().contains(&words)
            })
            .map(|m| Hit { memory: m.clone(), score: if words.is_empty() { 0.0 } else { 1.0 } })
            .skip(query.offset)
            .take(query.limit + 1)
            .collect();
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Ok(Hits { hits: found, more })
    }

    async fn usage(&self) -> Result<Usage> {
        let memories = self.open()?;
        let mut tags = BTreeMap::new();
        for tag in memories.iter().flat_map(|m| &m.tags) {
            *tags.entry(tag.as_str().to_owned()).or_default() += 1;
        }
        Ok(Usage {
            memories: memories.len() as u64,
            bytes: memories.iter().map(|m| m.size() as u64).sum(),
            tags: tags.into_iter().collect(),
            oldest: memories.iter().map(|m| m.created_at).min(),
            newest: memories.iter().map(|m| m.created_at).max(),
        })
    }

    async fn tags(&self, prefix: &str, limit: usize) -> Result<Vec<Tag>> {
        let prefix = prefix.to_lowercase();
        let mut counts: BTreeMap<Tag, usize> = BTreeMap::new();
        for tag in self.open()?.iter().flat_map(|m| &m.tags) {
            if tag.as_str().to_lowercase().starts_with(&prefix) {
                *counts.entry(tag.clone()).or_default() += 1;
            }
        }
        let mut tags: Vec<_> = counts.into_iter().collect();
        tags.sort_by_key(|(_, count)| Reverse(*count));
        Ok(tags.into_iter().take(limit).map(|(tag, _)| tag).collect())
    }
}
