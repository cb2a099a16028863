-- Masters that have left the hot area: where they are on their way, and until when a copy can be read.
CREATE TABLE archived (
    master     TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    place      TEXT NOT NULL,
    until      BIGINT,
    updated_at BIGINT NOT NULL
);

-- What a collection says of the rights of its assets; `revision` counts the changes.
CREATE TABLE collections (
    name       TEXT PRIMARY KEY,
    revision   BIGINT NOT NULL,
    rights     TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- The country from which a token's bearer looks.
ALTER TABLE tokens ADD COLUMN territory TEXT;
