-- The next run is found by its team: who waits, in which order, and how much each team has under way.

CREATE INDEX runs_queued ON runs (team_id, created_at, id) WHERE state = 'queued' AND finished_at IS NULL;
CREATE INDEX runs_running ON runs (team_id) WHERE state = 'running' AND finished_at IS NULL;
