-- What the tests of a step said, the files it left, and what is asked of a team that says it integrates continuously.

CREATE TABLE step_tests (                 -- one row a step, never one a test: a million tests are a hundred rows
  step_id TEXT PRIMARY KEY REFERENCES steps (id),
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  run_id TEXT NOT NULL REFERENCES runs (id),
  run_number BIGINT NOT NULL,
  commit_id TEXT NOT NULL,
  on_default BOOLEAN NOT NULL,            -- whether its branch was the default one
  step TEXT NOT NULL,                     -- stage/step
  passed BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  skipped BIGINT NOT NULL,
  bytes BIGINT NOT NULL,                  -- how much was read for it
  sources TEXT NOT NULL,                  -- JSON: digests of the reports, so that none counts twice in a run
  report TEXT NOT NULL,                   -- JSON: what is shown
  cases TEXT NOT NULL                     -- packed: every test with its outcome and time, for later comparisons
);
CREATE INDEX step_tests_by_run ON step_tests (run_id);
CREATE INDEX step_tests_by_step ON step_tests (service_id, step, on_default, run_number);
CREATE INDEX step_tests_by_commit ON step_tests (service_id, commit_id);

CREATE TABLE flaky_tests (                -- tests that gave both results for one commit
  service_id TEXT NOT NULL REFERENCES services (id),
  id TEXT NOT NULL,                       -- the beginning of a SHA-256 of suite and name
  team_id TEXT NOT NULL REFERENCES teams (id),
  suite TEXT NOT NULL,
  name TEXT NOT NULL,
  times BIGINT NOT NULL,
  last_run BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  muted_until BIGINT,
  muted_by TEXT,
  PRIMARY KEY (service_id, id)
);

CREATE TABLE artifacts (                  -- files that steps left and that are kept, each in a file named by its id
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  run_id TEXT NOT NULL REFERENCES runs (id),
  run_number BIGINT NOT NULL,
  step_id TEXT NOT NULL REFERENCES steps (id),
  step TEXT NOT NULL,                     -- stage/step
  path TEXT NOT NULL,
  size BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX artifacts_by_run ON artifacts (run_id, path);
CREATE INDEX artifacts_by_service ON artifacts (service_id, run_number);
CREATE INDEX artifacts_by_step ON artifacts (step_id);
CREATE INDEX artifacts_by_age ON artifacts (created_at);

ALTER TABLE teams ADD COLUMN public_badges BOOLEAN NOT NULL DEFAULT FALSE;  -- whether everybody may see the badges of its services
ALTER TABLE services ADD COLUMN guards_red BOOLEAN NOT NULL DEFAULT FALSE;  -- whether pushes onto a red default branch must mend it

CREATE INDEX ref_changes_by_time ON ref_changes (repository_id, created_at);
CREATE INDEX runs_by_branch ON runs (service_id, branch, number);
