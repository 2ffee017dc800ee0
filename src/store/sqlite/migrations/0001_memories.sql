-- One tenant's memories. Small columns stand before large ones, so that filters and counts do
-- not read through the text.
CREATE TABLE memory (
    n              INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    kind           TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,   -- microseconds since 1970, UTC
    updated_at     INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,   -- of content and response
    author_key     TEXT    NOT NULL,
    client_name    TEXT    NOT NULL,
    client_version TEXT    NOT NULL,
    filename       TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    tags           TEXT    NOT NULL,   -- as written, one a line
    content        TEXT    NOT NULL,
    response       TEXT
) STRICT;

-- Newest first, without sorting; with `bytes` and `kind` it also answers counts without touching
-- the table.
CREATE INDEX memory_by_time ON memory (created_at, n, bytes, kind);

-- The tags of `memory.tags` once more, for filters, counts and completion.
CREATE TABLE tag (
    folded  TEXT    NOT NULL,          -- lowercase: what is compared
    memory  INTEGER NOT NULL REFERENCES memory (n) ON DELETE CASCADE,
    spelled TEXT    NOT NULL,          -- as written: what is shown
    PRIMARY KEY (folded, memory)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_by_memory ON tag (memory);

-- The words of a memory. The text itself stays in `memory`; the triggers below keep the two
-- equal inside the same transaction, whoever writes. No stemmer: it would cut words so that the
-- beginning of a word no longer finds it; the query looks for beginnings instead.
CREATE VIRTUAL TABLE word USING fts5 (
    filename, description, content, response, tags,
    content = 'memory', content_rowid = 'n',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER word_insert AFTER INSERT ON memory BEGIN
    INSERT INTO word (rowid, filename, description, content, response, tags)
    VALUES (new.n, new.filename, new.description, new.content, new.response, new.tags);
END;

CREATE TRIGGER word_delete AFTER DELETE ON memory BEGIN
    INSERT INTO word (word, rowid, filename, description, content, response, tags)
    VALUES ('delete', old.n, old.filename, old.description, old.content, old.response, old.tags);
END;

CREATE TRIGGER word_update AFTER UPDATE OF filename, description, content, response, tags ON memory
BEGIN
    INSERT INTO word (word, rowid, filename, description, content, response, tags)
    VALUES ('delete', old.n, old.filename, old.description, old.content, old.response, old.tags);
    INSERT INTO word (rowid, filename, description, content, response, tags)
    VALUES (new.n, new.filename, new.description, new.content, new.response, new.tags);
END;
