-- The next job is the first of an index of those that wait, and of no other: what is claimed, done or failed leaves nothing in
-- it to step over, and moves no entry of it.

DROP INDEX jobs_claim;
DROP INDEX jobs_due;
DROP INDEX jobs_lease;
DROP INDEX attempts_ended;
CREATE INDEX jobs_claim ON jobs (stage, scope, priority DESC, created_at) WHERE state = 'ready';
CREATE INDEX jobs_due ON jobs (stage, priority DESC, created_at) WHERE state = 'ready';
CREATE INDEX jobs_lease ON jobs (lease_until) WHERE state = 'leased';
-- How many there are of each, without reading them.
CREATE INDEX jobs_state ON jobs (stage, state);
CREATE INDEX attempts_ended ON attempts (ended) WHERE ended IS NOT NULL;
