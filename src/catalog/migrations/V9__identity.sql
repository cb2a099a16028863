-- When a file's inode was last changed (ns), where its file system tells that reliably: what was replaced by another file
-- of the same size and time is told apart by it, and by its inode.
ALTER TABLE sightings ADD COLUMN ctime_ns BIGINT;
