-- What people say of an asset; `revision` counts the changes.
CREATE TABLE descriptions (
    asset      TEXT PRIMARY KEY,
    revision   BIGINT NOT NULL,
    fields     TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- What was found in a master, all of one kind in one track by one recipe; of those, one is active.
CREATE TABLE findings (
    master   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    track    BIGINT NOT NULL,
    recipe   TEXT NOT NULL,
    language TEXT,
    source   TEXT NOT NULL,
    by_hand  BIGINT NOT NULL,
    items    TEXT NOT NULL,
    active   BIGINT NOT NULL,
    made_at  BIGINT NOT NULL,
    PRIMARY KEY (master, kind, track, recipe)
);

-- Up to which event the jobs of an index were planned.
CREATE TABLE index_cursors (
    index_id TEXT PRIMARY KEY,
    seq      BIGINT NOT NULL
);

-- Who may ask over HTTP: a token is known by its digest alone.
CREATE TABLE tokens (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    grade       TEXT NOT NULL,
    collections TEXT,
    digest      TEXT NOT NULL UNIQUE,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    created_at  BIGINT NOT NULL
);
