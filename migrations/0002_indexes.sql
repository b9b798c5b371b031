-- What grows is found by an index, and a start asks Git only where something moved.

ALTER TABLE repositories ADD COLUMN refs_moved_at BIGINT; -- nanoseconds: when its refs had moved last as they were compared with ref_changes

CREATE INDEX links_by_creator ON links (created_by);
CREATE INDEX services_by_bare_name ON services (name);
CREATE INDEX services_leaving ON services (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX steps_by_stage ON steps (stage_id);
CREATE INDEX candidates_by_run ON candidates (run_id);
CREATE INDEX candidates_by_image ON candidates (image);
CREATE INDEX targets_by_environment ON targets (environment_id);
CREATE INDEX releases_by_image ON releases (image);
CREATE INDEX releases_by_candidate ON releases (candidate_id);
CREATE INDEX releases_by_config_set ON releases (config_set_id);
CREATE INDEX rollouts_by_service ON rollouts (service_id);
CREATE INDEX rollouts_by_release ON rollouts (release_id);
CREATE INDEX rollouts_by_release_before ON rollouts (from_release_id);
CREATE INDEX events_by_actor ON events (actor, id);

-- By what they are asked for, in the place of when they were made.
DROP INDEX runs_open;
CREATE INDEX runs_open ON runs (service_id, branch, number) WHERE finished_at IS NULL;
DROP INDEX rollouts_open;
CREATE INDEX rollouts_open ON rollouts (target_id) WHERE finished_at IS NULL;
