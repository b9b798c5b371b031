-- Several services are built from one repository: a push touches some of them, and the others keep what they have.

ALTER TABLE runs ADD COLUMN push_id TEXT;                         -- the row of ref_changes it was made for
ALTER TABLE runs ADD COLUMN plan TEXT NOT NULL DEFAULT '';        -- what the push comes to for the service, in a few words
ALTER TABLE runs ADD COLUMN kept BOOLEAN NOT NULL DEFAULT FALSE;  -- nothing was run: its candidate is one that a run before made
ALTER TABLE runs ADD COLUMN repository_id TEXT;                   -- where its commit is; NULL: in the repository of its service

CREATE INDEX runs_of_push ON runs (push_id) WHERE push_id IS NOT NULL;
CREATE INDEX runs_elsewhere ON runs (repository_id) WHERE repository_id IS NOT NULL;
CREATE INDEX runs_with_candidate ON runs (service_id, branch, number) WHERE candidate_id IS NOT NULL;
