-- Folders of steps that are kept from one run to the next. A step has one for itself while it runs; a step beside it begins with
-- another. Their files are on the engine: a volume each, named by the id.

CREATE TABLE caches (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  path TEXT NOT NULL,                     -- the folder in the step
  image TEXT NOT NULL,                    -- the steps' image, as berth.yaml names it
  made_for TEXT NOT NULL,                 -- the digest of the files that the step keyed it by; '' where it named none
  size BIGINT,                            -- in bytes; NULL: not measured since it was used last
  uses BIGINT NOT NULL DEFAULT 0,         -- steps that began with what another had left
  step_id TEXT,                           -- the step that has it now
  only_read BOOLEAN NOT NULL DEFAULT FALSE, -- whether that step has it only until it has been copied
  run_number BIGINT NOT NULL,             -- the run that used it last
  created_at BIGINT NOT NULL,
  used_at BIGINT NOT NULL,
  dropped_at BIGINT,                      -- when it was given up …
  why TEXT,                               -- … and why: app::model::CacheEnd
  removed_at BIGINT                       -- when its files were gone
);
CREATE INDEX caches_there ON caches (service_id, path, image, used_at) WHERE dropped_at IS NULL;
CREATE INDEX caches_of_service ON caches (service_id, used_at);
CREATE INDEX caches_of_step ON caches (step_id) WHERE step_id IS NOT NULL;
CREATE INDEX caches_unused ON caches (used_at) WHERE dropped_at IS NULL AND step_id IS NULL;
CREATE INDEX caches_unmeasured ON caches (size) WHERE dropped_at IS NULL AND step_id IS NULL;
CREATE INDEX caches_kept ON caches (id) WHERE removed_at IS NULL;
CREATE INDEX caches_going ON caches (dropped_at) WHERE dropped_at IS NOT NULL;
