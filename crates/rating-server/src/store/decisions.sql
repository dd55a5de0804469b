-- Version 3: who decided on an item without a majority.

ALTER TABLE adjudicated ADD COLUMN decided_by TEXT NOT NULL DEFAULT 'researcher';
