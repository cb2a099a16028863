-- A plan looks at every asset and its masters in the order of their ids, which is none in which their rows lie: what it asks
-- for is read from these alone, page after page.

CREATE INDEX assets_outline ON assets (id, kind, generation);
CREATE INDEX members_outline ON members (asset, generation, digest, role);
