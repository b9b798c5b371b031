-- What is run after a stage failed is a row among its steps.

ALTER TABLE steps ADD COLUMN on_failure BOOLEAN NOT NULL DEFAULT FALSE;
