-- What runs beside the steps of a stage is a row among them; a step may be tried several times, and
-- is given secrets of its service by name.

ALTER TABLE steps ADD COLUMN sidecar BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE steps ADD COLUMN tries BIGINT NOT NULL DEFAULT 1;

CREATE TABLE secrets (                    -- what steps are given by name
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  name TEXT NOT NULL,
  variables TEXT NOT NULL,                -- sealed JSON (server::secrets): the name and its value
  changed_by TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  UNIQUE (service_id, name)
);
