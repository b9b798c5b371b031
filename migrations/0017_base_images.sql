-- The catalogue of base images: what they are built from, their versions, which candidates stand on them, and what a new version
-- set off.

CREATE TABLE bases (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,              -- images are known to engines as base/NAME and base/NAME:VERSION
  description TEXT NOT NULL,
  dockerfile TEXT,                        -- what the next version is built from; NULL: each brings its root file system
  next_version BIGINT NOT NULL DEFAULT 1,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE base_versions (
  id TEXT PRIMARY KEY,
  base_id TEXT NOT NULL REFERENCES bases (id),
  number BIGINT NOT NULL,                 -- from 1, per base
  state TEXT NOT NULL,                    -- app::model::BaseState
  dockerfile TEXT,                        -- NULL: a root file system, kept in the data folder of its holder until it is built
  rolls BOOLEAN NOT NULL,                 -- whether the services that use the base are run once it is there
  holder TEXT NOT NULL,                   -- the Berth that builds it
  image TEXT,                             -- the image's id, once it is there
  size BIGINT,
  failure TEXT,                           -- why it failed, or what it waits for
  log TEXT NOT NULL DEFAULT '',
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  gone_at BIGINT,                         -- when its image was given up
  UNIQUE (base_id, number)
);
CREATE INDEX base_versions_open ON base_versions (created_at) WHERE finished_at IS NULL;
CREATE INDEX base_versions_image ON base_versions (image);

CREATE TABLE candidate_bases (            -- which candidate was built on which version
  candidate_id TEXT NOT NULL REFERENCES candidates (id),
  version_id TEXT NOT NULL REFERENCES base_versions (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  name TEXT NOT NULL,                     -- as it was written: base/NAME moves on with the base, base/NAME:3 does not
  newest BOOLEAN NOT NULL,                -- whether this is the service's newest candidate
  PRIMARY KEY (candidate_id, version_id)
);
CREATE INDEX candidate_bases_version ON candidate_bases (version_id, newest);
CREATE INDEX candidate_bases_service ON candidate_bases (service_id, newest);

CREATE TABLE base_rolls (                 -- the services that a version was to run, and their runs
  version_id TEXT NOT NULL REFERENCES base_versions (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  run_id TEXT REFERENCES runs (id),       -- NULL: still to be queued, unless a note says why not
  note TEXT,
  PRIMARY KEY (version_id, service_id)
);
CREATE INDEX base_rolls_service ON base_rolls (service_id);
CREATE INDEX base_rolls_run ON base_rolls (run_id);
CREATE INDEX base_rolls_open ON base_rolls (version_id) WHERE run_id IS NULL AND note IS NULL;
