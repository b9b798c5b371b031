-- A version of a base image that is under way can be cancelled.

ALTER TABLE base_versions ADD COLUMN cancel_asked_at BIGINT;  -- when that was asked for; who builds it ends it
