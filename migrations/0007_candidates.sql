-- What is said of a candidate's image and signed, what is known of how it was made, and how long it is kept.

CREATE TABLE statements (
  candidate_id TEXT NOT NULL REFERENCES candidates (id),
  kind TEXT NOT NULL,                     -- provenance | sbom
  payload TEXT NOT NULL,                  -- base64 of the gzipped in-toto statement
  key_id TEXT NOT NULL,                   -- the key that signed it
  signature TEXT NOT NULL,                -- base64, over the statement as DSSE frames it
  PRIMARY KEY (candidate_id, kind)
);

ALTER TABLE candidates ADD COLUMN made TEXT;                           -- JSON; NULL: from before candidates were signed
ALTER TABLE candidates ADD COLUMN held BOOLEAN NOT NULL DEFAULT FALSE; -- a person asked to keep it
ALTER TABLE candidates ADD COLUMN gone_at BIGINT;                      -- when its image was given up
ALTER TABLE candidates ADD COLUMN removed_at BIGINT;                   -- when the engine had it no more

CREATE INDEX candidates_there ON candidates (created_at, service_id) WHERE gone_at IS NULL;
CREATE INDEX candidates_going ON candidates (gone_at) WHERE gone_at IS NOT NULL AND removed_at IS NULL;
