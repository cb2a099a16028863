-- What is published where: one row for an asset's generation, a rendition, a channel and the account there.
CREATE TABLE publications (
    id         TEXT PRIMARY KEY,
    asset      TEXT NOT NULL,
    generation BIGINT NOT NULL,
    entry      TEXT NOT NULL,
    channel    TEXT NOT NULL,
    outlet     TEXT NOT NULL,
    again      BIGINT NOT NULL,
    state      TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    approval   TEXT,
    content    TEXT NOT NULL,
    reserved   BIGINT NOT NULL,
    words      TEXT NOT NULL,
    session    TEXT,
    posting    BIGINT NOT NULL,
    receipt    TEXT,
    error      TEXT,
    sent       BIGINT NOT NULL,
    job        TEXT,
    tried_at   BIGINT,
    actor      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX publications_asset ON publications (asset);
CREATE INDEX publications_state ON publications (state, not_before);
CREATE INDEX publications_outlet ON publications (outlet, state);

-- Accounts at places: how they fare, what of their limits is spent, and who refreshes their token.
CREATE TABLE outlets (
    name          TEXT PRIMARY KEY,
    failures      BIGINT NOT NULL,
    not_before    BIGINT NOT NULL,
    spent         TEXT NOT NULL,
    refresher     TEXT,
    refresh_until BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
