-- What the connector needs in the source, and no more: a role, a publication, and two tables, for its heartbeat and for signals to it.
-- Runs after the tables are loaded, in the database that is captured, as its superuser. May run any number of times.

-- The jobs do not use this role: they connect as app_user.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'debezium') THEN
        CREATE ROLE debezium LOGIN REPLICATION PASSWORD 'dbz_password';
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO debezium', current_database());
END
$$;

-- A change of a table that is being read for long must not make the shop wait behind it: whoever runs this tries again.
SET lock_timeout = '2s';

-- The connector writes here every second. On a server whose other databases are busy while this one is idle, the
-- slot's confirmed LSN would otherwise stand still: WAL would pile up, and check-reconcile would wait for nothing.
CREATE SCHEMA IF NOT EXISTS northwind_cdc;
CREATE TABLE IF NOT EXISTS northwind_cdc.heartbeat (
    id integer PRIMARY KEY CHECK (id = 1),
    ts timestamptz NOT NULL
);
INSERT INTO northwind_cdc.heartbeat (id, ts) VALUES (1, now()) ON CONFLICT (id) DO NOTHING;

GRANT USAGE ON SCHEMA northwind_cdc TO debezium;
GRANT SELECT, UPDATE (ts) ON northwind_cdc.heartbeat TO debezium;

-- What it is asked to do (Debezium's manual, "Sending signals to a connector"). While it sends a table again, it marks here, piece
-- by piece, where in the log it has read it: so a row that changes meanwhile is never followed by its older self.
CREATE SCHEMA IF NOT EXISTS northwind_cdc;
CREATE TABLE IF NOT EXISTS northwind_cdc.signal (
    id varchar(64) PRIMARY KEY,
    type varchar(32) NOT NULL,
    data varchar(2048)
);
GRANT USAGE ON SCHEMA northwind_cdc TO debezium;
GRANT SELECT, INSERT, DELETE ON northwind_cdc.signal TO debezium;

-- SELECT northwind_cdc.send_again('public.categories'): every row of these tables comes once more, beside the changes.
-- For who may write to the source; the jobs do not.
CREATE OR REPLACE FUNCTION northwind_cdc.send_again(VARIADIC tables regclass[]) RETURNS text LANGUAGE plpgsql AS $body$
DECLARE
    name text;
    unknown text;
    signal_id text;
BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') FILTER (WHERE p.prrelid IS NULL)
    INTO unknown
    FROM unnest(tables) AS asked
    JOIN pg_class c ON c.oid = asked
    LEFT JOIN (pg_publication_rel p JOIN pg_publication ON pg_publication.oid = p.prpubid AND pubname = 'northwind_publication')
        ON p.prrelid = c.oid;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'not captured: %', unknown USING HINT = 'Tables of the publication ' || 'northwind_publication' || ' only.';
    END IF;
    -- One for each table: a signal has room for 2,048 letters.
    FOR name IN
        SELECT format('%s.%s', n.nspname, c.relname)
        FROM unnest(tables) AS asked JOIN pg_class c ON c.oid = asked JOIN pg_namespace n ON n.oid = c.relnamespace
    LOOP
        IF name !~ '^[[:alnum:]_ &-]+[.][[:alnum:]_ &-]+$' THEN
            RAISE EXCEPTION 'the connector cannot be asked for %', name USING HINT = 'It reads names as patterns, and a dot parts them: rename the table.';
        END IF;
        INSERT INTO northwind_cdc.signal (id, type, data)
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
        ('public.categories'::regclass, ARRAY['category_id']::name[]),
        ('public.customer_customer_demo'::regclass, ARRAY['customer_id', 'customer_type_id']::name[]),
        ('public.customer_demographics'::regclass, ARRAY['customer_type_id']::name[]),
        ('public.customers'::regclass, ARRAY['customer_id']::name[]),
        ('public.employee_territories'::regclass, ARRAY['employee_id', 'territory_id']::name[]),
        ('public.employees'::regclass, ARRAY['employee_id']::name[]),
        ('public.order_details'::regclass, ARRAY['order_id', 'product_id']::name[]),
        ('public.orders'::regclass, ARRAY['order_id']::name[]),
        ('public.products'::regclass, ARRAY['product_id']::name[]),
        ('public.region'::regclass, ARRAY['region_id']::name[]),
        ('public.shippers'::regclass, ARRAY['shipper_id']::name[]),
        ('public.suppliers'::regclass, ARRAY['supplier_id']::name[]),
        ('public.territories'::regclass, ARRAY['territory_id']::name[]),
        ('public.us_states'::regclass, ARRAY['state_id']::name[])
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
            EXECUTE format('ALTER ROLE %I BYPASSRLS', 'debezium');
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
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', 'debezium', current_database()) || setting;
    END LOOP;
END
$body$;

-- The captured tables, by name. FOR ALL TABLES would need a superuser, would capture whatever is added later, and the
-- connector cannot narrow it; the connector's publication.autocreate.mode is `disabled`, as a role that could make or
-- change a publication would have to own the tables. A change of a partition is published as one of its table.
GRANT USAGE ON SCHEMA public TO debezium;
GRANT SELECT ON
    public.categories, public.customer_customer_demo, public.customer_demographics, public.customers,
    public.employee_territories, public.employees, public.order_details, public.orders, public.products,
    public.region, public.shippers, public.suppliers, public.territories, public.us_states
TO debezium;

DO $body$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'northwind_publication') THEN
        CREATE PUBLICATION northwind_publication;
    END IF;
END
$body$;
ALTER PUBLICATION northwind_publication SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);
ALTER PUBLICATION northwind_publication SET TABLE
    public.categories, public.customer_customer_demo, public.customer_demographics, public.customers,
    public.employee_territories, public.employees, public.order_details, public.orders, public.products,
    public.region, public.shippers, public.suppliers, public.territories, public.us_states,
    northwind_cdc.heartbeat, northwind_cdc.signal;
