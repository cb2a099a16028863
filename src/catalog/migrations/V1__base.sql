-- Common subset of SQLite and PostgreSQL: TEXT keys, BIGINT milliseconds, TEXT JSON.

CREATE TABLE drives (
    id         TEXT PRIMARY KEY,
    identity   TEXT NOT NULL UNIQUE,
    label      TEXT NOT NULL,
    root       TEXT NOT NULL,
    fs_uuid    TEXT,
    serial     TEXT,
    bytes      BIGINT,
    created_at BIGINT NOT NULL
);

CREATE TABLE assets (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    title      TEXT NOT NULL,
    collection TEXT,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Original files: bytes are kept once in the whole archive.
CREATE TABLE masters (
    digest TEXT PRIMARY KEY,
    bytes  BIGINT NOT NULL,
    key    TEXT NOT NULL,
    facts  TEXT NOT NULL
);

-- Which masters make up which generation of an asset; the active one is assets.generation.
CREATE TABLE members (
    asset      TEXT NOT NULL,
    generation BIGINT NOT NULL,
    digest     TEXT NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (asset, generation, digest)
);
CREATE INDEX members_digest ON members (digest);

-- Every path that was seen on a drive, and what became of it.
CREATE TABLE sightings (
    drive    TEXT NOT NULL,
    path     TEXT NOT NULL,
    bytes    BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    inode    BIGINT NOT NULL,
    outcome  TEXT NOT NULL,
    detail   TEXT,
    digest   TEXT,
    asset    TEXT,
    seen_at  BIGINT NOT NULL,
    PRIMARY KEY (drive, path)
);
CREATE INDEX sightings_asset ON sightings (asset);

CREATE TABLE renditions (
    master     TEXT NOT NULL,
    entry      TEXT NOT NULL,
    recipe     TEXT NOT NULL,
    asset      TEXT NOT NULL,
    prefix     TEXT NOT NULL,
    files      TEXT NOT NULL,
    facts      TEXT NOT NULL,
    active     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (master, entry, recipe)
);
CREATE INDEX renditions_asset ON renditions (asset, active);

-- What an index holds of an asset: the digest of its documents.
CREATE TABLE indexed (
    index_id TEXT NOT NULL,
    asset    TEXT NOT NULL,
    digest   TEXT NOT NULL,
    PRIMARY KEY (index_id, asset)
);

CREATE TABLE jobs (
    id          TEXT PRIMARY KEY,
    stage       TEXT NOT NULL,
    scope       TEXT NOT NULL,
    subject     TEXT NOT NULL,
    recipe      TEXT NOT NULL,
    task        TEXT NOT NULL,
    state       TEXT NOT NULL,
    priority    BIGINT NOT NULL,
    attempt     BIGINT NOT NULL,
    max_attempt BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    lease_until BIGINT,
    worker      TEXT,
    error       TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX jobs_claim ON jobs (stage, scope, state);

CREATE TABLE attempts (
    job     TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    worker  TEXT NOT NULL,
    began   BIGINT NOT NULL,
    ended   BIGINT,
    result  TEXT,
    error   TEXT,
    PRIMARY KEY (job, attempt)
);

-- Append-only.
CREATE TABLE events (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE INDEX events_subject ON events (subject);
