-- A change of a table that is being read for long must not make the shop wait behind it: whoever runs this tries again.
SET lock_timeout = '2s';

-- The connector writes here every second. On a server whose other databases are busy while this one is idle, the
-- slot's confirmed LSN would otherwise stand still: WAL would pile up, and check-reconcile would wait for nothing.
CREATE SCHEMA IF NOT EXISTS {heartbeat_schema};
CREATE TABLE IF NOT EXISTS {heartbeat} (
    id integer PRIMARY KEY CHECK (id = 1),
    ts timestamptz NOT NULL
);
INSERT INTO {heartbeat} (id, ts) VALUES (1, now()) ON CONFLICT (id) DO NOTHING;

GRANT USAGE ON SCHEMA {heartbeat_schema} TO {role};
GRANT SELECT, UPDATE (ts) ON {heartbeat} TO {role};

-- What it is asked to do (Debezium's manual, "Sending signals to a connector"). While it sends a table again, it marks here, piece
-- by piece, where in the log it has read it: so a row that changes meanwhile is never followed by its older self.
CREATE SCHEMA IF NOT EXISTS {signal_schema};
CREATE TABLE IF NOT EXISTS {signal} (
    id varchar(64) PRIMARY KEY,
    type varchar(32) NOT NULL,
    data varchar(2048)
);
GRANT USAGE ON SCHEMA {signal_schema} TO {role};
GRANT SELECT, INSERT, DELETE ON {signal} TO {role};

-- SELECT {signal_schema}.send_again({example}): every row of these tables comes once more, beside the changes.
-- For who may write to the source; the jobs do not.
CREATE OR REPLACE FUNCTION {signal_schema}.send_again(VARIADIC tables regclass[]) RETURNS text LANGUAGE plpgsql AS $body$
DECLARE
    name text;
    unknown text;
    signal_id text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') FILTER (WHERE p.prrelid IS NULL)
    INTO unknown
    FROM unnest(tables) AS asked
    JOIN pg_class c ON c.oid = asked
    LEFT JOIN (pg_publication_rel p JOIN pg_publication ON pg_publication.oid = p.prpubid AND pubname = {publication_text})
        ON p.prrelid = c.oid;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'not captured: %', unknown USING HINT = 'Tables of the publication ' || {publication_text} || ' only.';
    END IF;
    -- One for each table: a signal has room for 2,048 letters.
    FOR name IN
        SELECT format('%s.%s', n.nspname, c.relname)
        FROM unnest(tables) AS asked JOIN pg_class c ON c.oid = asked JOIN pg_namespace n ON n.oid = c.relnamespace
    LOOP
        IF name !~ '^[[:alnum:]_ &-]+[.][[:alnum:]_ &-]+$' THEN
            RAISE EXCEPTION 'the connector cannot be asked for %', name USING HINT = 'It reads names as patterns, and a dot parts them: rename the table.';
        END IF;
        INSERT INTO {signal} (id, type, data)
        VALUES (gen_random_uuid(), 'execute-snapshot', json_build_object('type', 'incremental', 'data-collections', json_build_array(name)))
        RETURNING id INTO signal_id;
    END LOOP;
    RETURN signal_id;
END
$body$;

-- A long value is stored apart from its row (TOAST) and is left out of a change that does not touch it, unless the old
-- row is written to the WAL as well. So that every event carries the whole row: REPLICA IDENTITY FULL for tables that
-- have a column without a bound on its length, or with one above 500 letters. (bpchar has no bound either, but holds keys of a few
-- letters.) It is needed too where the key of the pipeline is not a primary key that PostgreSQL looks at with each row: without one, the
-- source would refuse its own updates and deletes as soon as the table is published. Partitions do not inherit it.
-- An identity that says more than is needed stays. Each table is done by itself, and given back at once.
DO $body$
DECLARE
    captured regclass;
    key name[];
    member regclass;
    whole_row boolean;
    identity "char";
BEGIN
    FOR captured, key IN VALUES
{keys}
    LOOP
        FOR member IN SELECT captured UNION SELECT relid FROM pg_partition_tree(captured) LOOP
            SELECT c.relreplident,
                   EXISTS (
                       SELECT FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage IN ('x', 'e')
                         AND a.atttypid <> 'bpchar'::regtype
                         AND NOT (a.atttypid IN ('varchar'::regtype, 'varbit'::regtype) AND a.atttypmod BETWEEN 0 AND 504)
                   )
                   OR NOT EXISTS (
                       SELECT FROM pg_index i
                       WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate
                         AND key @> (SELECT array_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey))
                         AND cardinality(key) = i.indnkeyatts
                   )
            INTO identity, whole_row
            FROM pg_class c WHERE c.oid = member;
            -- The old key of a row has to be in the log: an index of other columns does not say it.
            whole_row := whole_row OR identity = 'i' AND NOT EXISTS (
                SELECT FROM pg_index i
                WHERE i.indrelid = member AND i.indisreplident
                  AND key <@ (SELECT array_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = member AND a.attnum = ANY (i.indkey)));
            IF whole_row AND identity <> 'f' THEN
                EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', member);
            ELSIF identity = 'n' THEN
                EXECUTE format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', member);
            END IF;
            COMMIT;
        END LOOP;
        -- Policies would hide rows from the connector, and say nothing.
        IF EXISTS (SELECT FROM pg_class WHERE oid = captured AND relrowsecurity) THEN
            EXECUTE format('ALTER ROLE %I BYPASSRLS', {role_text});
        END IF;
    END LOOP;
END
$body$;

-- The connector reads values as these settings write them, whatever the database's own are.
DO $body$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['DateStyle = ''ISO, MDY''', 'IntervalStyle = ''postgres''', 'extra_float_digits = 1', 'bytea_output = ''hex''',
                                   'quote_all_identifiers = off'] LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', {role_text}, current_database()) || setting;
    END LOOP;
END
$body$;

-- The captured tables, by name. FOR ALL TABLES would need a superuser, would capture whatever is added later, and the
-- connector cannot narrow it; the connector's publication.autocreate.mode is `disabled`, as a role that could make or
-- change a publication would have to own the tables. A change of a partition is published as one of its table.
GRANT USAGE ON SCHEMA {schemas} TO {role};
{grants}
DO $body$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = {publication_text}) THEN
        CREATE PUBLICATION {publication};
    END IF;
END
$body$;
ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);
{tables}
