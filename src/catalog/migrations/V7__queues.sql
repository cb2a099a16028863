-- The next job is the first of an index, however many wait: of one plan, or of all.

DROP INDEX jobs_claim;
CREATE INDEX jobs_claim ON jobs (stage, scope, state, priority DESC, created_at, id);
CREATE INDEX jobs_due ON jobs (stage, state, priority DESC, created_at, id);
