-- A run that failed keeps its files for a while, and a new one may go on from there: it takes over what had passed.

ALTER TABLE runs ADD COLUMN files_until BIGINT;                   -- how long its workspace is kept; NULL: it is not, or not any more
ALTER TABLE runs ADD COLUMN goes_on TEXT;                         -- the run it goes on from: it begins with that one's files and results
ALTER TABLE steps ADD COLUMN taken_from BIGINT;                   -- the number of the run in which it passed, where that is another

CREATE INDEX runs_with_files ON runs (service_id, number) WHERE files_until IS NOT NULL;
CREATE INDEX runs_going_on ON runs (goes_on) WHERE goes_on IS NOT NULL AND finished_at IS NULL;
