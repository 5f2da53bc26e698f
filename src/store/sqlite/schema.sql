CREATE TABLE entry (
    idx INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL,
    kind TEXT NOT NULL,
    ts_ms INTEGER NOT NULL,
    release BLOB,
    party TEXT,
    wilayah TEXT,
    outcome TEXT,
    code TEXT
) STRICT;
CREATE INDEX entry_release ON entry (release) WHERE release IS NOT NULL;
CREATE INDEX entry_party ON entry (party, idx) WHERE party IS NOT NULL;
CREATE INDEX entry_wilayah ON entry (wilayah, idx) WHERE wilayah IS NOT NULL;
-- Refusals, changes, reads: found without passing over every copy, at no cost to the entries of copies.
CREATE INDEX entry_seldom ON entry (kind, idx)
WHERE kind NOT IN ('release.intent', 'release.grant', 'release.complete', 'release.ack');
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN
    SELECT RAISE(ABORT, 'entries are never changed');
END;
CREATE TRIGGER entry_remains BEFORE DELETE ON entry BEGIN
    SELECT RAISE(ABORT, 'entries are never deleted');
END;

-- Hashes in tiles of 256; the last one of each level grows.
CREATE TABLE tile (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER tile_grows BEFORE UPDATE ON tile
WHEN length(new.hashes) <= length(old.hashes)
    OR substr(new.hashes, 1, length(old.hashes)) <> old.hashes
    OR new.level <> old.level OR new.idx <> old.idx
BEGIN
    SELECT RAISE(ABORT, 'tiles only grow');
END;
CREATE TRIGGER tile_remains BEFORE DELETE ON tile BEGIN
    SELECT RAISE(ABORT, 'tiles are never deleted');
END;

CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    checkpoint TEXT NOT NULL
) STRICT;
CREATE TRIGGER head_grows BEFORE UPDATE ON head WHEN new.size <= old.size BEGIN
    SELECT RAISE(ABORT, 'the ledger only grows');
END;
CREATE TRIGGER head_remains BEFORE DELETE ON head BEGIN
    SELECT RAISE(ABORT, 'the head is never deleted');
END;

-- Releases opened and not closed, so that start-up need not search for them.
CREATE TABLE open_release (
    release BLOB PRIMARY KEY,
    idx INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
