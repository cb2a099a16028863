-- A master without a time of confirmation is one that the store was found to have lost. Those of before are not.
UPDATE masters SET confirmed_at = 0 WHERE confirmed_at IS NULL;
