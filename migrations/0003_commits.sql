-- A run is found by the beginning of its commit.

CREATE INDEX runs_by_commit ON runs (commit_id);
