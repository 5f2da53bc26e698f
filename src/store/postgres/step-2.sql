-- Reads that auditors leave to be entered, and the entry of each once it is there: none is entered twice.
CREATE TABLE salinan.read (
    id bytea PRIMARY KEY CHECK (octet_length(id) = 16),
    what text NOT NULL,
    -- The entry of it; none as long as it waits.
    idx bigint
);
CREATE INDEX read_waiting ON salinan.read (id) WHERE idx IS NULL;

-- Leaves a read to the replicas. Whoever may call this may ask, and can do no more.
CREATE FUNCTION salinan.ask(own_id bytea, own_what text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF octet_length(own_what) > 16384 THEN
        RAISE EXCEPTION 'no read is as long as this' USING ERRCODE = 'SL005';
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM salinan.read WHERE idx IS NULL LIMIT 10000) AS waiting) = 10000 THEN
        RAISE EXCEPTION 'too many reads wait to be entered' USING ERRCODE = 'SL005';
    END IF;
    INSERT INTO salinan.read (id, what) VALUES (own_id, own_what);
END $$;

-- Whether a replica is there to enter what is left.
CREATE FUNCTION salinan.is_served()
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM salinan.replica WHERE NOT is_out AND seen >= clock_timestamp() - interval '60 seconds'
    )
$$;

-- Says that entries of the batch under way are those of reads. What they asked stands there from now on.
CREATE FUNCTION salinan.take_reads(ids bytea[], idxs bigint[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched bigint;
BEGIN
    INSERT INTO salinan.read AS old (id, what, idx)
    SELECT t.id, '', t.idx FROM unnest(ids, idxs) AS t (id, idx)
    JOIN salinan.entry e ON e.idx = t.idx AND e.kind = 'audit.read'
    ON CONFLICT (id) DO UPDATE SET what = '', idx = excluded.idx WHERE old.idx IS NULL;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> cardinality(ids) THEN
        RAISE EXCEPTION 'a read was entered already' USING ERRCODE = 'SL006';
    END IF;
END $$;

-- Takes something away that waits as a read and is none.
CREATE FUNCTION salinan.set_aside(own_id bytea)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM salinan.read WHERE id = own_id AND idx IS NULL
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA salinan FROM PUBLIC;
