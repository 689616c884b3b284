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
CREATE TABLE IF NOT EXISTS northwind_cdc.signal (
    id varchar(64) PRIMARY KEY,
    type varchar(32) NOT NULL,
    data varchar(2048)
);
GRANT SELECT, INSERT, DELETE ON northwind_cdc.signal TO debezium;

-- SELECT northwind_cdc.send_again('orders', 'order_details'): every row of these tables comes once more, beside the changes.
-- For who may write to the source; the jobs do not.
CREATE OR REPLACE FUNCTION northwind_cdc.send_again(VARIADIC tables regclass[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    names json;
    unknown text;
    signal_id text;
BEGIN
    SELECT json_agg(format('%s.%s', n.nspname, c.relname)),
           string_agg(c.oid::regclass::text, ', ') FILTER (WHERE p.prrelid IS NULL)
    INTO names, unknown
    FROM unnest(tables) AS asked
    JOIN pg_class c ON c.oid = asked
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN (pg_publication_rel p JOIN pg_publication ON pg_publication.oid = p.prpubid AND pubname = 'northwind_publication')
        ON p.prrelid = c.oid;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'not captured: %', unknown USING HINT = 'Tables of northwind_publication only.';
    END IF;
    INSERT INTO northwind_cdc.signal (id, type, data)
    VALUES (gen_random_uuid(), 'execute-snapshot', json_build_object('type', 'incremental', 'data-collections', names))
    RETURNING id INTO signal_id;
    RETURN signal_id;
END
$$;

-- The captured tables, by name. FOR ALL TABLES would need a superuser, would capture whatever is added later, and the
-- connector cannot narrow it; the connector's publication.autocreate.mode is `disabled`, as a role that could make or
-- change a publication would have to own the tables.
GRANT USAGE ON SCHEMA public TO debezium;
GRANT SELECT ON
    public.categories, public.customer_customer_demo, public.customer_demographics, public.customers,
    public.employee_territories, public.employees, public.order_details, public.orders, public.products,
    public.region, public.shippers, public.suppliers, public.territories, public.us_states
TO debezium;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'northwind_publication') THEN
        CREATE PUBLICATION northwind_publication;
    END IF;
END
$$;
ALTER PUBLICATION northwind_publication SET TABLE
    public.categories, public.customer_customer_demo, public.customer_demographics, public.customers,
    public.employee_territories, public.employees, public.order_details, public.orders, public.products,
    public.region, public.shippers, public.suppliers, public.territories, public.us_states,
    northwind_cdc.heartbeat, northwind_cdc.signal;

-- A long value is stored apart from its row (TOAST) and is left out of a change that does not touch it, unless the old
-- row is written to the WAL as well. So that every event carries the whole row: REPLICA IDENTITY FULL for tables that
-- have a column without a bound on its length, or with one above 500 letters. In Northwind as it is published these are categories, employees,
-- suppliers and customer_demographics; another dump may have others. (bpchar has no bound either, but holds keys of a
-- few letters.) A table without a primary key needs it too, or the source would refuse its updates.
DO $$
DECLARE
    captured regclass;
    whole_row boolean;
BEGIN
    FOR captured, whole_row IN
        SELECT c.oid,
               EXISTS (
                   SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage IN ('x', 'e')
                     AND a.atttypid <> 'bpchar'::regtype
                     AND NOT (a.atttypid IN ('varchar'::regtype, 'varbit'::regtype) AND a.atttypmod BETWEEN 0 AND 504)
               )
               OR NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
        FROM pg_publication_rel p
        JOIN pg_publication ON pg_publication.oid = p.prpubid AND pubname = 'northwind_publication'
        JOIN pg_class c ON c.oid = p.prrelid
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', captured, CASE WHEN whole_row THEN 'FULL' ELSE 'DEFAULT' END);
    END LOOP;
END
$$;
