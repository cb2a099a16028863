-- A generation that waits for what is to be made of it, before it takes the active one's place. Wanted: JSON of [entry, recipe].
CREATE TABLE pending (
    asset      TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    wanted     TEXT NOT NULL,
    since      BIGINT NOT NULL
);

-- Masters of generations that gave their place to another: since when.
CREATE TABLE superseded (
    asset  TEXT NOT NULL,
    master TEXT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (asset, master)
);

-- Renditions that were let go by their age: not made again by a plan for all.
CREATE TABLE expired (
    master TEXT NOT NULL,
    entry  TEXT NOT NULL,
    recipe TEXT NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (master, entry, recipe)
);

-- What is handed out no more, and is removed a while later, when nobody reads it any more.
CREATE TABLE tombstones (
    prefix      TEXT PRIMARY KEY,
    why         TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    marked_at   BIGINT NOT NULL,
    removing_at BIGINT
);

-- What looking at an object found, each time.
CREATE TABLE fixity (
    key    TEXT NOT NULL,
    at     BIGINT NOT NULL,
    level  TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (key, at)
);
CREATE INDEX fixity_at ON fixity (at);

-- What the store's own records say of an asset: their digest, and when it was written.
CREATE TABLE recorded (
    asset  TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    at     BIGINT NOT NULL
);

-- Up to which event something was looked at.
CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    seq  BIGINT NOT NULL
);
