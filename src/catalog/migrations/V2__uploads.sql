-- The ledger of uploads in parts: what a store has accepted of a large file, and how far its digest has come, so that
-- another attempt, process or host goes on from there.
CREATE TABLE uploads (
    key        TEXT PRIMARY KEY,
    drive      TEXT NOT NULL,
    path       TEXT NOT NULL,
    bytes      BIGINT NOT NULL,
    mtime_ns   BIGINT NOT NULL,
    inode      BIGINT NOT NULL,
    upload     TEXT NOT NULL,
    part_bytes BIGINT NOT NULL,
    hashed     BIGINT NOT NULL,
    state      TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX uploads_path ON uploads (drive, path);

CREATE TABLE upload_parts (
    key    TEXT NOT NULL,
    number BIGINT NOT NULL,
    etag   TEXT NOT NULL,
    bytes  BIGINT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (key, number)
);
