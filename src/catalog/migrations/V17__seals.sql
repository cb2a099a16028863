-- Seals on the record of events: the digest of everything up to an event, each chained to the one before it.
CREATE TABLE seals (
    seq       BIGINT PRIMARY KEY,
    digest    TEXT NOT NULL,
    sealed_at BIGINT NOT NULL
);
