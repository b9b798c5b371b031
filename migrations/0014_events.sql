-- What made a run begin, what was given with it, and which commit the schedules of a service were read from.

ALTER TABLE runs ADD COLUMN event TEXT NOT NULL DEFAULT 'push';   -- app::model::RunEvent; a tag's run has the ref `refs/tags/…` for its branch
ALTER TABLE runs ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}';    -- JSON: what its steps are given beside their own variables

ALTER TABLE services ADD COLUMN schedules_of TEXT;                -- NULL: its schedules are still to be read from its repository

CREATE INDEX services_unscheduled ON services (repository_id) WHERE schedules_of IS NULL AND deleted_at IS NULL;
