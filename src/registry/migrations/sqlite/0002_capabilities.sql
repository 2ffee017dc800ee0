-- What a key may not, a second secret while a key is given a new one, and more of its last use.

-- A JSON object; `{}` bounds nothing.
ALTER TABLE api_key ADD COLUMN bounds TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(bounds));

-- The secret before the present one, and until when it works: all three, or none.
ALTER TABLE api_key ADD COLUMN old_tag INTEGER CHECK (old_tag BETWEEN 0 AND 65535);
ALTER TABLE api_key ADD COLUMN old_hash TEXT
    CHECK ((old_hash IS NULL) = (old_tag IS NULL));
ALTER TABLE api_key ADD COLUMN old_until TEXT
    CHECK ((old_until IS NULL) = (old_hash IS NULL));

ALTER TABLE api_key ADD COLUMN last_address TEXT;
ALTER TABLE api_key ADD COLUMN last_client TEXT;
