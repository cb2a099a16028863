-- What masters' passages mean: vectors of one recipe, and a digest of the words that they are of. The vectors are JSON.
CREATE TABLE meanings (
    master  TEXT PRIMARY KEY,
    recipe  TEXT NOT NULL,
    words   TEXT NOT NULL,
    vectors TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
