-- What was ended lately, and what failed, without reading all that ever was.
CREATE INDEX attempts_ended ON attempts (ended);

-- What was lost, without looking at all that is being done.
CREATE INDEX jobs_lease ON jobs (lease_until);
