-- One dialect for SQLite and PostgreSQL: TEXT ids (UUIDv7) and JSON, BIGINT milliseconds and numbers, BOOLEAN.
-- Every row that belongs to a team says so, and every query asks for it.

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,             -- lower case
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,            -- argon2id, PHC string
  language TEXT,
  platform_role TEXT NOT NULL,            -- none | admin
  session_epoch BIGINT NOT NULL,          -- raised by "sign out everywhere": older sessions are no good
  suspended_at BIGINT,
  created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,                    -- SHA-256 of the cookie's value
  data TEXT NOT NULL,                     -- JSON
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE teams (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

CREATE TABLE members (
  team_id TEXT NOT NULL REFERENCES teams (id),
  user_id TEXT NOT NULL REFERENCES users (id),
  role TEXT NOT NULL,                     -- viewer | developer | owner
  created_at BIGINT NOT NULL,
  PRIMARY KEY (team_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE links (                      -- one-time links: the first administrator, invitations, signing in
  id TEXT PRIMARY KEY,
  purpose TEXT NOT NULL,                  -- first_admin | invitation | sign_in
  hash TEXT NOT NULL UNIQUE,              -- SHA-256 of the secret
  team_id TEXT REFERENCES teams (id),
  role TEXT,
  email TEXT,
  created_by TEXT REFERENCES users (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX links_by_team ON links (team_id);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  team_id TEXT REFERENCES teams (id),     -- bound to one team, if set
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,              -- SHA-256
  scopes TEXT NOT NULL,                   -- JSON array
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE TABLE environments (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  position BIGINT NOT NULL,
  pool TEXT NOT NULL,
  default_replicas BIGINT NOT NULL,
  auto_deploy BOOLEAN NOT NULL,
  stabilisation_ms BIGINT NOT NULL,
  deadline_ms BIGINT NOT NULL,
  profile TEXT NOT NULL,                  -- baseline | restricted
  created_at BIGINT NOT NULL
);

CREATE TABLE repositories (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  name TEXT NOT NULL,
  default_branch TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE UNIQUE INDEX repositories_by_name ON repositories (team_id, name) WHERE deleted_at IS NULL;

CREATE TABLE ref_changes (                -- what a push moved; found by the hook or by comparing refs
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  repository_id TEXT NOT NULL REFERENCES repositories (id),
  ref TEXT NOT NULL,                      -- refs/heads/main
  old_commit TEXT,                        -- NULL: the ref is new
  new_commit TEXT,                        -- NULL: the ref was deleted
  pushed_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  handled_at BIGINT
);
CREATE INDEX ref_changes_open ON ref_changes (created_at) WHERE handled_at IS NULL;
CREATE INDEX ref_changes_by_ref ON ref_changes (repository_id, ref, id);

CREATE TABLE services (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  repository_id TEXT NOT NULL REFERENCES repositories (id),
  next_run BIGINT NOT NULL DEFAULT 1,
  next_candidate BIGINT NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT                       -- asked to be deleted: a task takes it down, then removes the row
);
CREATE UNIQUE INDEX services_by_name ON services (team_id, name) WHERE deleted_at IS NULL;
CREATE INDEX services_by_repository ON services (repository_id);

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  number BIGINT NOT NULL,
  state TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  title TEXT NOT NULL,
  author TEXT NOT NULL,
  branch TEXT NOT NULL,
  pushed_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  pipeline TEXT NOT NULL,                 -- JSON: the resolved pipeline at the commit
  failure TEXT,
  stage TEXT,                             -- the stage it is in or failed in
  candidate_id TEXT,
  cancel_asked_at BIGINT,
  holder TEXT,                            -- who works on it …
  fence BIGINT NOT NULL DEFAULT 0,        -- … under which token: every claim raises it
  lease_until BIGINT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  UNIQUE (service_id, number)
);
CREATE INDEX runs_open ON runs (state, created_at) WHERE finished_at IS NULL;

CREATE TABLE stages (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  position BIGINT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,                     -- steps | image
  state TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX stages_by_run ON stages (run_id, position);

CREATE TABLE steps (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  stage_id TEXT NOT NULL REFERENCES stages (id),
  position BIGINT NOT NULL,
  name TEXT NOT NULL,
  image TEXT NOT NULL,
  state TEXT NOT NULL,
  exit_code BIGINT,
  failure TEXT,
  lines BIGINT NOT NULL DEFAULT 0,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX steps_by_run ON steps (run_id);

CREATE TABLE log_chunks (                 -- append-only; a chunk is many lines, never one row a line
  step_id TEXT NOT NULL REFERENCES steps (id),
  first_line BIGINT NOT NULL,             -- number of its first line, from 1
  line_count BIGINT NOT NULL,
  lines TEXT NOT NULL,                    -- JSON: [[at, kind, text], …]
  PRIMARY KEY (step_id, first_line)
);

CREATE TABLE candidates (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  number BIGINT NOT NULL,
  image TEXT NOT NULL,                    -- sha256:…
  size BIGINT NOT NULL,
  commit_id TEXT NOT NULL,
  title TEXT NOT NULL,
  branch TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  run_number BIGINT NOT NULL,
  shape TEXT NOT NULL,                    -- JSON
  created_at BIGINT NOT NULL,
  UNIQUE (service_id, number)
);

CREATE TABLE targets (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  environment_id TEXT NOT NULL REFERENCES environments (id),
  replicas TEXT NOT NULL,                 -- JSON: wanted instances by process
  config_set_id TEXT NOT NULL,            -- the newest
  release_id TEXT,                        -- the proven one: what serves
  wanted_release_id TEXT,                 -- the newest asked for
  next_release BIGINT NOT NULL DEFAULT 1,
  next_config BIGINT NOT NULL DEFAULT 1,
  created_at BIGINT NOT NULL,
  UNIQUE (service_id, environment_id)
);
CREATE INDEX targets_by_team ON targets (team_id);

CREATE TABLE config_sets (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  target_id TEXT NOT NULL REFERENCES targets (id),
  number BIGINT NOT NULL,
  variables TEXT NOT NULL,                -- sealed JSON (server::secrets)
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (target_id, number)
);

CREATE TABLE releases (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  target_id TEXT NOT NULL REFERENCES targets (id),
  number BIGINT NOT NULL,
  generation BIGINT NOT NULL,             -- the release that last changed image, config or shape: its instances are kept
  image TEXT NOT NULL,                    -- sha256:… or, until the rollout resolved it, a reference
  candidate_id TEXT REFERENCES candidates (id),
  candidate_number BIGINT,
  config_set_id TEXT NOT NULL REFERENCES config_sets (id),
  config_number BIGINT NOT NULL,
  replicas TEXT NOT NULL,                 -- JSON
  shape TEXT NOT NULL,                    -- JSON
  created_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (target_id, number)
);

CREATE TABLE rollouts (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  service_id TEXT NOT NULL REFERENCES services (id),
  target_id TEXT NOT NULL REFERENCES targets (id),
  release_id TEXT NOT NULL REFERENCES releases (id),
  release_number BIGINT NOT NULL,
  from_release_id TEXT REFERENCES releases (id),
  from_number BIGINT,
  state TEXT NOT NULL,
  plan TEXT NOT NULL,                     -- JSON array of sentences
  evidence TEXT NOT NULL,                 -- JSON array
  progress TEXT NOT NULL,                 -- JSON: what server::rollout must remember across a restart
  now_doing TEXT,
  failure TEXT,
  last_lines TEXT NOT NULL DEFAULT '[]',  -- JSON array
  cancel_asked_at BIGINT,
  created_by TEXT NOT NULL,
  holder TEXT,
  fence BIGINT NOT NULL DEFAULT 0,
  lease_until BIGINT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX rollouts_by_target ON rollouts (target_id, created_at);
CREATE INDEX rollouts_open ON rollouts (created_at) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX rollouts_one_running ON rollouts (target_id) WHERE state = 'running';

CREATE TABLE routes (
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL REFERENCES teams (id),
  target_id TEXT NOT NULL REFERENCES targets (id),
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  is_default BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (host, path)
);
CREATE INDEX routes_by_target ON routes (target_id);

CREATE TABLE backends (                   -- what the edge may send requests to: proven instances only
  target_id TEXT NOT NULL REFERENCES targets (id),
  release_number BIGINT NOT NULL,
  process TEXT NOT NULL,
  slot BIGINT NOT NULL,
  address TEXT NOT NULL,                  -- ip:port
  since BIGINT NOT NULL,
  draining_since BIGINT,                  -- set: takes no new requests
  PRIMARY KEY (target_id, release_number, process, slot)
);

CREATE TABLE events (
  id TEXT PRIMARY KEY,
  team_id TEXT REFERENCES teams (id),
  service_id TEXT,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  user_id TEXT,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  path TEXT,
  detail TEXT NOT NULL,
  origin TEXT,
  request TEXT,
  hash TEXT NOT NULL                      -- SHA-256 over the row and the hash before it in the same team
);
CREATE INDEX events_by_team ON events (team_id, id);
CREATE INDEX events_by_service ON events (service_id, id);

CREATE TABLE leases (                     -- duties that only one Berth at a time carries out
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  fence BIGINT NOT NULL,
  until BIGINT NOT NULL
);

CREATE TABLE settings (
  name TEXT PRIMARY KEY,                  -- instance: the id that labels everything this Berth makes on an engine
  value TEXT NOT NULL
);

CREATE TABLE idempotency_keys (           -- answers to requests that may come twice; kept for a day
  actor TEXT NOT NULL,                    -- the person's id
  idempotency_key TEXT NOT NULL,
  hash TEXT NOT NULL,                     -- SHA-256 of the request
  status BIGINT,                          -- NULL: under way, or its end is not known
  body TEXT,                              -- sealed: an answer may hold a secret that is shown once
  created_at BIGINT NOT NULL,
  PRIMARY KEY (actor, idempotency_key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
