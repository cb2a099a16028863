-- The checksum that an upload was begun with, and what it is of each part: an upload that is gone on with ends with the
-- same.
ALTER TABLE uploads ADD COLUMN checksum TEXT;
ALTER TABLE upload_parts ADD COLUMN crc64 BIGINT;
