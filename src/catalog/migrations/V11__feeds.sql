-- How far each subscriber has heard of the events, and who tells it.
CREATE TABLE feeds (
    name        TEXT PRIMARY KEY,
    id          TEXT NOT NULL,
    seq         BIGINT NOT NULL,
    holder      TEXT,
    lease_until BIGINT NOT NULL,
    error       TEXT,
    updated_at  BIGINT NOT NULL
);
