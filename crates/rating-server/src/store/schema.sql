-- Version 1. Times are milliseconds since 1970; truth values are 0 and 1.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE guideline (
    id INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE,
    -- An eval_ssa::Guideline: TOML.
    text TEXT NOT NULL,
    -- Its questions alone, which every item shows: JSON.
    questions TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE system (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- What everyone sees until the names are shown.
    blind TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    perplexity REAL,
    -- How to reach it, for chats: JSON.
    endpoint TEXT,
    -- How many conversations are wanted of it.
    chats INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE rater (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    -- SHA-256 of the secret in the link; NULL once the rater is deleted.
    token BLOB UNIQUE,
    label TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'deleted')),
    rates INTEGER NOT NULL DEFAULT 1,
    -- How many conversations the rater is asked to hold.
    chats INTEGER NOT NULL DEFAULT 0,
    -- The guideline that was read.
    guideline INTEGER NOT NULL DEFAULT 0,
    -- Places given so far.
    places INTEGER NOT NULL DEFAULT 0,
    -- Items answered since the last gold item.
    since_gold INTEGER NOT NULL DEFAULT 0,
    -- Items answered or skipped, practice left out.
    answered INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    -- Our name for it, which says nothing of the system.
    key TEXT NOT NULL UNIQUE,
    -- The researcher's id.
    source TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('rate', 'pair', 'gold', 'practice')),
    system INTEGER REFERENCES system,
    other_system INTEGER REFERENCES system,
    -- An eval_ssa::Item, or Pair: JSON.
    record TEXT NOT NULL,
    -- Whoever held the conversation does not rate it.
    author INTEGER REFERENCES rater,
    -- Which guideline a practice item belongs to.
    guideline INTEGER REFERENCES guideline,
    -- A random number, by which orders are drawn.
    point INTEGER NOT NULL,
    -- Open seats and votes; never more than the project's votes an item.
    taken INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX item_by_taken ON item (taken, point) WHERE kind IN ('rate', 'pair');
CREATE INDEX item_practice ON item (guideline, id) WHERE kind = 'practice';
CREATE INDEX item_gold ON item (point) WHERE kind = 'gold';
CREATE INDEX item_by_author ON item (author) WHERE author IS NOT NULL;

-- A rater's place in front of an item, and the answer given there.
CREATE TABLE seat (
    rater INTEGER NOT NULL REFERENCES rater,
    place INTEGER NOT NULL,
    item INTEGER NOT NULL REFERENCES item,
    -- late: answered when all the item's seats were taken by others; not counted.
    -- returned: not answered within the lease.
    state TEXT NOT NULL CHECK (state IN ('open', 'voted', 'skipped', 'late', 'returned')),
    -- Whether the other response of a pair stood first.
    flipped INTEGER NOT NULL DEFAULT 0,
    given_at INTEGER NOT NULL,
    lease_until INTEGER,
    answered_at INTEGER,
    sensible INTEGER,
    specific INTEGER,
    human_like INTEGER,
    choice TEXT CHECK (choice IN ('first', 'second', 'tie', 'both-bad')),
    skip TEXT,
    comment TEXT,
    duration_ms INTEGER,
    -- Drawn by the page for each answer: the same answer sent twice is one answer.
    nonce TEXT,
    revision INTEGER NOT NULL DEFAULT 0,
    guideline INTEGER,
    PRIMARY KEY (rater, place),
    UNIQUE (rater, item)
) STRICT, WITHOUT ROWID;

CREATE INDEX seat_by_lease ON seat (lease_until) WHERE state = 'open' AND lease_until IS NOT NULL;
CREATE INDEX seat_by_item ON seat (item);
CREATE INDEX seat_open ON seat (rater, place) WHERE state = 'open';
CREATE INDEX seat_returned ON seat (rater, place) WHERE state = 'returned';

-- Answers that were replaced by the rater who gave them.
CREATE TABLE replaced (
    rater INTEGER NOT NULL REFERENCES rater,
    place INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    answered_at INTEGER,
    sensible INTEGER,
    specific INTEGER,
    human_like INTEGER,
    choice TEXT,
    skip TEXT,
    comment TEXT,
    duration_ms INTEGER,
    PRIMARY KEY (rater, place, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE adjudicated (
    item INTEGER PRIMARY KEY REFERENCES item,
    sensible INTEGER NOT NULL,
    specific INTEGER NOT NULL,
    note TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE chat (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    rater INTEGER NOT NULL REFERENCES rater,
    system INTEGER NOT NULL REFERENCES system,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'dropped')),
    begun_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX chat_by_rater ON chat (rater, state);
CREATE INDEX chat_by_system ON chat (system, state);

CREATE TABLE chat_turn (
    chat INTEGER NOT NULL REFERENCES chat,
    turn INTEGER NOT NULL,
    -- 1 for the system, 0 for the rater: even turns are the rater's.
    by_system INTEGER NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (chat, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    token BLOB PRIMARY KEY,
    csrf TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
