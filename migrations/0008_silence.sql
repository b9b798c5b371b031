-- A run says what it waits for while it is under way.

ALTER TABLE runs ADD COLUMN waits TEXT;
