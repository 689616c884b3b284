-- What the connector needs in the source, and no more: a role, a publication and a heartbeat table.
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
    northwind_cdc.heartbeat;

-- A long value is stored apart from its row (TOAST) and is left out of a change that does not touch it, unless the old
-- row is written to the WAL as well. So that every event carries the whole row: REPLICA IDENTITY FULL for tables that
-- have a column without a bound on its length. In Northwind as it is published these are categories, employees,
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
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> 'p'
                     AND (a.atttypid IN ('text'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'xml'::regtype)
                          OR a.atttypid = 'varchar'::regtype AND a.atttypmod = -1)
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
