-- What masters look like. The perceptual hash is 64 bits; near duplicates share at least one of its four parts.
CREATE TABLE looks (
    master  TEXT PRIMARY KEY,
    recipe  TEXT NOT NULL,
    part_a  BIGINT NOT NULL,
    part_b  BIGINT NOT NULL,
    part_c  BIGINT NOT NULL,
    part_d  BIGINT NOT NULL,
    facts   TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX looks_a ON looks (part_a);
CREATE INDEX looks_b ON looks (part_b);
CREATE INDEX looks_c ON looks (part_c);
CREATE INDEX looks_d ON looks (part_d);
