-- Several services of one repository may be built together: each has a run of its own, and all come to one version or to none.

ALTER TABLE runs ADD COLUMN lead_id TEXT;  -- the first of them, whose holder carries all out; its own names itself; NULL: it stands alone

CREATE INDEX runs_together ON runs (lead_id) WHERE lead_id IS NOT NULL;
