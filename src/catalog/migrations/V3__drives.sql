-- When a drive was last looked at as a whole.
ALTER TABLE drives ADD COLUMN seen_at BIGINT;

-- Enough of a file to see whether it may be a copy: SHA-256 of its head and tail. And when the store last said that it
-- has the object.
ALTER TABLE masters ADD COLUMN fingerprint TEXT;
ALTER TABLE masters ADD COLUMN confirmed_at BIGINT;
CREATE INDEX masters_bytes ON masters (bytes);
CREATE INDEX masters_key ON masters (key);

-- What the file is called in its asset: a path below the folder of the asset's main file.
ALTER TABLE members ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- What a store was found to be able to do, by its address.
CREATE TABLE stores (
    place     TEXT PRIMARY KEY,
    abilities TEXT NOT NULL,
    probed_at BIGINT NOT NULL
);
