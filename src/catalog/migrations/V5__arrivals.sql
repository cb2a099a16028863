-- Files that somebody else sends to the store, by addresses that were given out: what was announced, and how far it is.
CREATE TABLE arrivals (
    asset      TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    collection TEXT,
    bytes      BIGINT NOT NULL,
    digest     TEXT NOT NULL,
    key        TEXT NOT NULL,
    upload     TEXT NOT NULL,
    part_bytes BIGINT NOT NULL,
    state      TEXT NOT NULL,
    error      TEXT,
    -- The asset that has the bytes, when another was first.
    holder     TEXT,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX arrivals_state ON arrivals (state);
