//! The three things that can be done to a memory, each one statement or two.
//!
//! A change runs inside the writer's transaction and knows nothing of queues or commits. Sizes
//! and forbidden characters are refused here, so no caller can forget to.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    name::Names,
    row::{self, microseconds, tag_lines},
};
use crate::domain::{
    Error, Kind, Result,
    memory::{MAX_TAGS, Memory, MemoryId, MemoryPatch, NewMemory, Tag},
    reach::Reach,
};

/// The longest file name, in bytes.
const MAX_FILENAME_BYTES: usize = 255;
/// The longest description, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 4096;

/// What a caller wants done.
#[derive(Debug)]
pub(super) enum Change {
    /// Store a memory.
    Put(NewMemory),
    /// Change one, if it is in reach.
    Update(MemoryId, MemoryPatch, Reach),
    /// Delete one, if it is in reach.
    Delete(MemoryId, Reach),
}

/// What a change is made with.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    pub(super) names: &'a mut Names,
    pub(super) now: Timestamp,
    pub(super) max_memory_bytes: usize,
}

impl Change {
    /// Does it; `None` when there is no such memory. Put answers with the memory as stored,
    /// update as it is now, delete as it was.
    pub(super) fn apply(self, database: &Connection, mut desk: Desk<'_>) -> Result<Option<Memory>> {
        match self {
            Self::Put(new) => put(database, new, &mut desk).map(Some),
            Self::Update(id, patch, reach) => update(database, &id, patch, &reach, &desk),
            Self::Delete(id, reach) => delete(database, &id, &reach),
        }
    }
}

/// The memory with this id, if it is in reach. A change asks here too, inside its transaction, so
/// no other change comes between the look and the deed.
pub(super) fn find(database: &Connection, id: &MemoryId, reach: &Reach) -> Result<Option<Memory>> {
    let mut statement = database.prepare_cached(
        "SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
                filename, description, tags, content, response
         FROM memory WHERE id = ?1",
    )?;
    let found = statement.query_row([id.as_str()], row::memory).optional()?;
    Ok(found.filter(|memory| reach.holds(&memory.tags)))
}

fn put(database: &Connection, new: NewMemory, desk: &mut Desk<'_>) -> Result<Memory> {
    let mut taken = database.prepare_cached("SELECT 1 FROM memory WHERE id = ?1")?;
    let id = desk.names.fresh(desk.now, &new.filename, |id| taken.exists([id.as_str()]))?;
    let now = rounded(desk.now);
    let memory = Memory {
        id,
        kind: new.kind,
        filename: new.filename,
        description: new.description,
        content: new.content,
        response: new.response,
        tags: distinct(new.tags),
        created_at: now,
        updated_at: now,
        author: new.author,
    };
    check(&memory, desk.max_memory_bytes)?;
    database
        .prepare_cached(
            "INSERT INTO memory (id, kind, created_at, updated_at, bytes, author_key, client_name,
                                 client_version, filename, description, tags, content, response)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            memory.id.as_str(),
            memory.kind.as_str(),
            microseconds(memory.created_at),
            microseconds(memory.updated_at),
            length(&memory),
            memory.author.key.as_str(),
            memory.author.client.name,
            memory.author.client.version,
            memory.filename,
            memory.description,
            tag_lines(&memory.tags),
            memory.content,
            memory.response,
        ])?;
    write_tags(database, database.last_insert_rowid(), &memory.tags)?;
    Ok(memory)
}

fn update(
    database: &Connection,
    id: &MemoryId,
    patch: MemoryPatch,
    reach: &Reach,
    desk: &Desk<'_>,
) -> Result<Option<Memory>> {
    let Some(mut memory) = find(database, id, reach)? else { return Ok(None) };
    let retag = patch.tags.is_some();
    memory.content = patch.content.unwrap_or(memory.content);
    memory.filename = patch.filename.unwrap_or(memory.filename);
    memory.description = patch.description.unwrap_or(memory.description);
    if let Some(tags) = patch.tags {
        memory.tags = distinct(reach.kept(&memory.tags, tags));
    }
    // A clock that was set back does not make a change older than the memory.
    memory.updated_at = rounded(desk.now).max(memory.updated_at);
    check(&memory, desk.max_memory_bytes)?;
    let n: i64 = database
        .prepare_cached(
            "UPDATE memory SET updated_at = ?2, bytes = ?3, filename = ?4, description = ?5,
                               tags = ?6, content = ?7
             WHERE id = ?1 RETURNING n",
        )?
        .query_row(
            params![
                id.as_str(),
                microseconds(memory.updated_at),
                length(&memory),
                memory.filename,
                memory.description,
                tag_lines(&memory.tags),
                memory.content,
            ],
            |row| row.get(0),
        )?;
    if retag {
        database.prepare_cached("DELETE FROM tag WHERE memory = ?1")?.execute([n])?;
        write_tags(database, n, &memory.tags)?;
    }
    Ok(Some(memory))
}

fn delete(database: &Connection, id: &MemoryId, reach: &Reach) -> Result<Option<Memory>> {
    let found = find(database, id, reach)?;
    if found.is_some() {
        database.prepare_cached("DELETE FROM memory WHERE id = ?1")?.execute([id.as_str()])?;
    }
    Ok(found)
}

fn write_tags(database: &Connection, n: i64, tags: &[Tag]) -> Result<()> {
    let mut insert =
        database.prepare_cached("INSERT INTO tag (folded, memory, spelled) VALUES (?1, ?2, ?3)")?;
    for tag in tags {
        insert.execute(params![tag.folded(), n, tag.as_str()])?;
    }
    Ok(())
}

/// Without repeats, case ignored; the first spelling stays.
fn distinct(tags: Vec<Tag>) -> Vec<Tag> {
    let mut seen = std::collections::HashSet::new();
    tags.into_iter().filter(|t| seen.insert(t.folded())).collect()
}

fn check(memory: &Memory, max_memory_bytes: usize) -> Result<()> {
    let too_large = |what: String| Err(Error::new(Kind::TooLarge, what));
    if memory.size() > max_memory_bytes {
        return too_large(format!("a memory is at most {max_memory_bytes} bytes of text"));
    }
    if memory.filename.len() > MAX_FILENAME_BYTES {
        return too_large(format!("a file name is at most {MAX_FILENAME_BYTES} bytes"));
    }
    if memory.description.len() > MAX_DESCRIPTION_BYTES {
        return too_large(format!("a description is at most {MAX_DESCRIPTION_BYTES} bytes"));
    }
    if memory.tags.len() > MAX_TAGS {
        return Err(Error::bad_input(format!("a memory has at most {MAX_TAGS} tags")));
    }
    let texts = [&memory.filename, &memory.description, &memory.content];
    if texts.into_iter().chain(&memory.response).any(|t| t.contains('\0')) {
        return Err(Error::bad_input("text must not contain NUL characters"));
    }
    Ok(())
}

fn length(memory: &Memory) -> i64 {
    i64::try_from(memory.size()).unwrap_or(i64::MAX)
}

fn rounded(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(microseconds(time)).unwrap_or(time)
}
