-- The checksum that an upload was begun with, and what it is of each part: an upload that is gone on with ends with the
-- same.
ALTER TABLE uploads ADD COLUMN checksum TEXT;
ALTER TABLE upload_parts ADD COLUMN crc64 BIGINT;

-- The parts that a master went up in, a line each: SHA-256, ETag, CRC-64/NVME where there is one. Some of them can be read
-- and compared where reading all would take days.
CREATE TABLE master_parts (
    master     TEXT PRIMARY KEY,
    part_bytes BIGINT NOT NULL,
    checksum   TEXT,
    parts      TEXT NOT NULL
);
