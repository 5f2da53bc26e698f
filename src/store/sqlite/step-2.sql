-- Reads that were left to be entered, and the entry of each: none is entered twice.
CREATE TABLE entered_read (
    id BLOB PRIMARY KEY,
    idx INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entered_read_stays BEFORE UPDATE ON entered_read BEGIN
    SELECT RAISE(ABORT, 'what was entered is never changed');
END;
CREATE TRIGGER entered_read_remains BEFORE DELETE ON entered_read BEGIN
    SELECT RAISE(ABORT, 'what was entered is never deleted');
END;
