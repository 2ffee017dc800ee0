//! A row of `memory` and a [`Memory`], one from the other.

use jiff::Timestamp;
use rusqlite::{Row, types::Type};

use crate::domain::{
    client::ClientInfo,
    key::KeyId,
    memory::{Author, Memory, MemoryId, MemoryKind, Tag},
};

/// Reads the columns in this order:
/// `id, kind, created_at, updated_at, author_key, client_name, client_version, filename,
/// description, tags, content, response`. Whoever selects them uses exactly this list.
pub(super) fn memory(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let kind: String = row.get(1)?;
    let tags: String = row.get(9)?;
    Ok(Memory {
        id: MemoryId::parse(row.get_ref(0)?.as_str()?).map_err(|e| broken(0, e))?,
        kind: MemoryKind::ALL
            .into_iter()
            .find(|k| k.as_str() == kind)
            .ok_or_else(|| broken(1, "unknown kind"))?,
        created_at: time(row, 2)?,
        updated_at: time(row, 3)?,
        author: Author {
            key: KeyId::parse(row.get_ref(4)?.as_str()?).map_err(|e| broken(4, e))?,
            client: ClientInfo { name: row.get(5)?, version: row.get(6)? },
        },
        filename: row.get(7)?,
        description: row.get(8)?,
        tags: tags
            .split_terminator('\n')
            .map(|t| Tag::parse(t).map_err(|e| broken(9, e)))
            .collect::<rusqlite::Result<_>>()?,
        content: row.get(10)?,
        response: row.get(11)?,
    })
}

/// Tags as they stand in the column: a tag holds no control character, so a line is a tag.
pub(super) fn tag_lines(tags: &[Tag]) -> String {
    tags.iter().flat_map(|t| [t.as_str(), "\n"]).collect()
}

/// What tags are compared by.
pub(super) fn folded(tag: &str) -> String {
    tag.to_lowercase()
}

/// A time as it stands in a column. Times are kept to the microsecond, and rounded before they
/// are first shown, so that what `put` returns is what `get` finds.
pub(super) fn microseconds(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A time from a column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|e| broken(column, e))
}

fn broken(
    column: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
}
