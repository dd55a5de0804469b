-- Version 2: what automatic judges say. Never counted among votes.

CREATE TABLE judgment (
    item INTEGER NOT NULL REFERENCES item,
    judge TEXT NOT NULL,
    -- NULL where the judge's output could not be read.
    label TEXT CHECK (label IN ('not-sensible', 'sensible', 'specific')),
    output TEXT,
    PRIMARY KEY (judge, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX judgment_by_item ON judgment (item);
