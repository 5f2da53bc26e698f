-- The ledger of several replicas. Whoever owns these tables sets them up; the service's own role reads, inserts
-- entries and calls the functions below, and can do no more.

CREATE TABLE salinan.entry (
    idx bigint PRIMARY KEY CHECK (idx >= 0),
    leaf bytea NOT NULL,
    kind text COLLATE "C" NOT NULL,
    ts_ms bigint NOT NULL,
    release bytea,
    party text COLLATE "C",
    wilayah text COLLATE "C",
    outcome text COLLATE "C",
    code text COLLATE "C"
);
CREATE INDEX entry_release ON salinan.entry (release, idx) WHERE release IS NOT NULL;
CREATE INDEX entry_party ON salinan.entry (party, idx) WHERE party IS NOT NULL;
CREATE INDEX entry_wilayah ON salinan.entry (wilayah, idx) WHERE wilayah IS NOT NULL;
-- Refusals, changes, reads: found without passing over every copy, at no cost to the entries of copies.
CREATE INDEX entry_seldom ON salinan.entry (kind, idx)
WHERE kind NOT IN ('release.intent', 'release.grant', 'release.complete', 'release.ack');

-- Hashes in tiles of 256; the last one of each level grows.
CREATE TABLE salinan.tile (
    level smallint NOT NULL,
    idx bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, idx)
);
-- Hashes do not compress.
ALTER TABLE salinan.tile ALTER hashes SET STORAGE EXTERNAL;

CREATE TABLE salinan.head (
    id smallint PRIMARY KEY CHECK (id = 1),
    size bigint NOT NULL,
    root bytea NOT NULL,
    checkpoint text NOT NULL
) WITH (fillfactor = 10);

-- One row for each run of a replica. One that is out can append no more.
CREATE TABLE salinan.replica (
    boot text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    started bigint GENERATED ALWAYS AS IDENTITY,
    seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_out boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- Releases opened and not closed, and the run of a replica that holds each.
CREATE TABLE salinan.open_release (
    release bytea PRIMARY KEY,
    idx bigint NOT NULL,
    boot text COLLATE "C" NOT NULL REFERENCES salinan.replica
);

-- Against slips, the owner's too. Against someone who owns the database they are no defence: that is what the
-- tree, the signatures and the anchor are for.
CREATE FUNCTION salinan.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what the ledger holds is never changed or deleted' USING ERRCODE = 'SL000';
END $$;
CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON salinan.entry
FOR EACH STATEMENT EXECUTE FUNCTION salinan.refuse();
CREATE TRIGGER tile_remains BEFORE DELETE OR TRUNCATE ON salinan.tile
FOR EACH STATEMENT EXECUTE FUNCTION salinan.refuse();
CREATE TRIGGER head_remains BEFORE DELETE OR TRUNCATE ON salinan.head
FOR EACH STATEMENT EXECUTE FUNCTION salinan.refuse();
CREATE TRIGGER tile_grows BEFORE UPDATE ON salinan.tile FOR EACH ROW
WHEN (
    new.level <> old.level OR new.idx <> old.idx OR octet_length(new.hashes) <= octet_length(old.hashes)
    OR substr(new.hashes, 1, octet_length(old.hashes)) <> old.hashes
)
EXECUTE FUNCTION salinan.refuse();
CREATE TRIGGER head_grows BEFORE UPDATE ON salinan.head FOR EACH ROW WHEN (new.size <= old.size)
EXECUTE FUNCTION salinan.refuse();

-- The right to append is the lock on the one row of `head`. Every function that changes anything takes it first.
CREATE FUNCTION salinan.take_head(
    OUT size bigint, OUT root bytea, OUT checkpoint text, OUT synchronous_commit text, OUT is_standby boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT h.size, h.root, h.checkpoint INTO size, root, checkpoint
    FROM salinan.head h WHERE h.id = 1 FOR UPDATE;
    synchronous_commit := current_setting('synchronous_commit');
    is_standby := pg_is_in_recovery();
END $$;

-- Moves the head over entries that the caller inserted.
CREATE FUNCTION salinan.advance(
    own_boot text, first bigint, new_size bigint, new_root bytea, new_checkpoint text,
    levels smallint[], idxs bigint[], tiles bytea[],
    opened bytea[], opened_idx bigint[], closed bytea[]
)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    touched bigint;
BEGIN
    UPDATE salinan.head SET size = new_size, root = new_root, checkpoint = new_checkpoint
    WHERE id = 1 AND size = first;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the head was moved by someone else' USING ERRCODE = 'SL002';
    END IF;
    UPDATE salinan.replica SET seen = clock_timestamp() WHERE boot = own_boot AND NOT is_out;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this replica was shut out' USING ERRCODE = 'SL001';
    END IF;
    INSERT INTO salinan.tile AS old (level, idx, hashes)
    SELECT * FROM unnest(levels, idxs, tiles)
    ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes WHERE old.hashes <> excluded.hashes;
    IF cardinality(opened) > 0 THEN
        INSERT INTO salinan.open_release (release, idx, boot)
        SELECT o.release, o.idx, own_boot FROM unnest(opened, opened_idx) AS o (release, idx);
    END IF;
    IF cardinality(closed) > 0 THEN
        -- Its own, and those of replicas that are out.
        DELETE FROM salinan.open_release o USING salinan.replica r
        WHERE o.release = ANY (closed) AND r.boot = o.boot AND (o.boot = own_boot OR r.is_out);
        GET DIAGNOSTICS touched = ROW_COUNT;
        IF touched <> cardinality(closed) THEN
            RAISE EXCEPTION 'a release to be closed is not open' USING ERRCODE = 'SL003';
        END IF;
    END IF;
END $$;

-- Begins a run of a replica and shuts out whatever ran under its name before; or lets a run that was shut out
-- for its silence in again.
CREATE FUNCTION salinan.enter(own_name text, own_boot text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own bigint;
BEGIN
    PERFORM FROM salinan.head WHERE id = 1 FOR UPDATE;
    SELECT r.started INTO own FROM salinan.replica r WHERE r.boot = own_boot;
    IF own IS NULL THEN
        UPDATE salinan.replica SET is_out = true WHERE name = own_name AND NOT is_out;
        INSERT INTO salinan.replica (boot, name) VALUES (own_boot, own_name);
    ELSIF EXISTS (SELECT FROM salinan.replica r WHERE r.name = own_name AND r.started > own) THEN
        RAISE EXCEPTION 'another process runs under the name of this replica' USING ERRCODE = 'SL004';
    ELSE
        UPDATE salinan.replica SET is_out = false, seen = clock_timestamp() WHERE boot = own_boot;
    END IF;
END $$;

-- Says that a replica lives, and shuts out those that said nothing for a minute. True: somebody who is out left
-- releases open.
CREATE FUNCTION salinan.beat(own_boot text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM salinan.head WHERE id = 1 FOR UPDATE;
    UPDATE salinan.replica SET seen = clock_timestamp() WHERE boot = own_boot AND NOT is_out;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this replica was shut out' USING ERRCODE = 'SL001';
    END IF;
    UPDATE salinan.replica SET is_out = true
    WHERE NOT is_out AND seen < clock_timestamp() - interval '60 seconds';
    RETURN EXISTS (SELECT FROM salinan.open_release o JOIN salinan.replica r USING (boot) WHERE r.is_out);
END $$;

-- Says that a replica ends.
CREATE FUNCTION salinan.leave(own_boot text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM salinan.head WHERE id = 1 FOR UPDATE;
    UPDATE salinan.replica SET is_out = true WHERE boot = own_boot;
END $$;
