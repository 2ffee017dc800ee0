-- Tenants, keys and the ledger's totals. Times are RFC 3339 texts in UTC.

CREATE TABLE tenant (
    id         TEXT PRIMARY KEY NOT NULL,
    label      TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('agent', 'operator')),
    tenant_id  TEXT REFERENCES tenant (id),
    name       TEXT NOT NULL,
    packs      TEXT,
    act_as     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    last_used  TEXT,
    tag        INTEGER NOT NULL CHECK (tag BETWEEN 0 AND 65535),
    hash       TEXT NOT NULL,
    -- Names of callers that no stored key stands for.
    CHECK (id NOT LIKE 'env-%'),
    -- An agent opens one tenant, an operator none.
    CHECK ((role = 'agent') = (tenant_id IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_by_tenant ON api_key (tenant_id);

-- The key under which tags are made: one row.
CREATE TABLE tag_key (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    bytes BLOB NOT NULL CHECK (length(bytes) = 32)
) STRICT;

-- What all sessions since `counted_since` add up to: one row.
CREATE TABLE session_totals (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    counted_since TEXT NOT NULL,
    sessions      INTEGER NOT NULL,
    calls         INTEGER NOT NULL,
    errors        INTEGER NOT NULL,
    bytes_in      INTEGER NOT NULL,
    bytes_out     INTEGER NOT NULL
) STRICT;
