-- Events on their way to a number, where many write at once: they are numbered when somebody asks for them.
CREATE TABLE news (
    id      BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    batch   TEXT
);
