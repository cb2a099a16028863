-- What was ended lately, and what failed, without reading all that ever was.
CREATE INDEX attempts_ended ON attempts (ended);
