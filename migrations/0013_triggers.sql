-- What makes runs begin beside a push of a branch, and what holds them back: groups that never exceed their limit, and newer
-- pushes that take a run's place.

ALTER TABLE runs ADD COLUMN concurrency TEXT;                                   -- the group it belongs to: a name within the team
ALTER TABLE runs ADD COLUMN concurrency_limit BIGINT NOT NULL DEFAULT 1;        -- so many of that group may be under way at once
ALTER TABLE runs ADD COLUMN superseded_by BIGINT;                               -- the number of the run that took its place

ALTER TABLE services ADD COLUMN supersedes_default BOOLEAN NOT NULL DEFAULT FALSE;  -- whether pushes of the default branch do too
ALTER TABLE services ADD COLUMN supersedes_running BOOLEAN NOT NULL DEFAULT FALSE;  -- whether they cancel what is under way too

CREATE INDEX runs_grouped ON runs (team_id, concurrency) WHERE state = 'running' AND finished_at IS NULL AND concurrency IS NOT NULL;

CREATE TABLE schedules (                  -- when the head of a service's default branch is run by itself, as its file says
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  cron TEXT NOT NULL,                     -- five fields
  time_zone TEXT NOT NULL,
  due_at BIGINT NOT NULL,                 -- when next; moved on in the transaction that queues the run
  UNIQUE (service_id, cron, time_zone)
);
CREATE INDEX schedules_due ON schedules (due_at);
