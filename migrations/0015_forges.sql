-- Repositories that live on another forge: mirrored here, run as if they had been pushed, and told how each commit fares.

CREATE TABLE mirrors (
  repository_id TEXT PRIMARY KEY REFERENCES repositories (id),
  team_id TEXT NOT NULL REFERENCES teams (id),
  address TEXT NOT NULL,                  -- https://…, ssh://… or git@host:path; never with a password in it
  forge TEXT NOT NULL,                    -- app::model::Forge: whose API is spoken, and whose hooks are believed
  forge_url TEXT,                         -- where its API is; NULL: on the host of the address
  token TEXT,                             -- sealed
  deploy_key TEXT,                        -- sealed: the private half
  public_key TEXT,                        -- the half that is shown
  host_keys TEXT,                         -- lines of known_hosts, as they were seen first; NULL: not seen yet
  hook_id TEXT NOT NULL UNIQUE,           -- the last part of the hook's address
  hook_secret TEXT,                       -- sealed; NULL: nobody asked for one, so no hook is believed
  statuses BOOLEAN NOT NULL,              -- whether commits are told how they fare
  every_ms BIGINT NOT NULL,
  due_at BIGINT NOT NULL,                 -- when it is fetched next by itself
  wanted_at BIGINT,                       -- since when somebody wants it fetched: a hook, a person
  holder TEXT,                            -- who fetches it now …
  lease_until BIGINT,                     -- … and until when that is believed
  tried_at BIGINT,                        -- when a fetch began last
  fetched_at BIGINT,                      -- when one was good last
  hooked_at BIGINT,                       -- when a hook was believed last
  failing_since BIGINT,
  failures BIGINT NOT NULL DEFAULT 0,     -- in a row
  failure TEXT
);
CREATE INDEX mirrors_due ON mirrors (due_at);
CREATE INDEX mirrors_held ON mirrors (holder) WHERE lease_until IS NOT NULL;
CREATE INDEX mirrors_wanted ON mirrors (wanted_at) WHERE wanted_at IS NOT NULL;

CREATE TABLE forge_statuses (             -- what a forge is to be told of a commit and a service: the newest state alone
  id TEXT PRIMARY KEY,
  team_id TEXT NOT NULL,
  repository_id TEXT NOT NULL REFERENCES repositories (id),
  service_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  run_number BIGINT NOT NULL,
  commit_id TEXT NOT NULL,
  state TEXT NOT NULL,                    -- of the run
  version BIGINT NOT NULL,                -- raised by every change …
  told BIGINT NOT NULL DEFAULT 0,         -- … and the one the forge took
  told_at BIGINT,
  due_at BIGINT,                          -- when it is sent next; NULL: it was taken, or given up
  lease_until BIGINT,                     -- somebody sends it until then
  tries BIGINT NOT NULL DEFAULT 0,        -- of this version
  failure TEXT,
  changed_at BIGINT NOT NULL,
  UNIQUE (repository_id, commit_id, service_id)
);
CREATE INDEX forge_statuses_due ON forge_statuses (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX forge_statuses_done ON forge_statuses (changed_at) WHERE due_at IS NULL;
CREATE INDEX forge_statuses_recent ON forge_statuses (repository_id, changed_at);
CREATE INDEX forge_statuses_by_service ON forge_statuses (service_id);

ALTER TABLE runs ADD COLUMN untrusted BOOLEAN NOT NULL DEFAULT FALSE;  -- of a change that nobody of the repository has made: no secrets
ALTER TABLE runs ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE;       -- it waits for somebody's approval
ALTER TABLE runs ADD COLUMN approved_by TEXT;
