-- Generations belong to a table and a lineage of topics; truncates know when they were committed.
CREATE TABLE IF NOT EXISTS {ops}.generations
(
    target     LowCardinality(String) COMMENT 'warehouse table',
    generation UInt16,
    topic      String,
    topic_id   String,
    partitions UInt32,
    starts     Array(Tuple(Int32, Int64)) COMMENT 'by partition: below, the topic was read when it had fewer partitions',
    run_id     String COMMENT 'the run that took the number',
    taken_at   DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (target, generation)
SETTINGS non_replicated_deduplication_window = 10000;

-- Topics that were declared to have no key in common with the others of their table (--side-by-side), so that every job knows it.
CREATE TABLE IF NOT EXISTS {ops}.side_by_side
(
    topic       String,
    run_id      String COMMENT 'the run that was told first',
    declared_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY topic
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE {ops}.truncates
    ADD COLUMN IF NOT EXISTS ts_ms Int64 DEFAULT toUnixTimestamp64Milli(stored_at) COMMENT 'when the source committed it' AFTER lsn;

-- What the ledger says. A lineage that several groups have read has the highest of their numbers. Older books could give one number to
-- two topics of a table: the earlier one keeps it, the later one takes a new number with its next run, which says so.
INSERT INTO {ops}.generations (target, generation, topic, topic_id, partitions, run_id, taken_at)
SELECT target, highest, name, topic_id, partitions, first_run, first_closed
FROM
(
    SELECT
        transform(
            source,
            ['categories', 'customer_customer_demo', 'customer_demographics', 'customers', 'employee_territories', 'employees',
             'order_details', 'orders', 'products', 'region', 'shippers', 'suppliers', 'territories', 'us_states'],
            ['dim_categories', 'dim_customer_customer_demo', 'dim_customer_demographics', 'dim_customers', 'dim_employee_territories', 'dim_employees',
             'fact_order_details', 'fact_orders', 'dim_products', 'dim_regions', 'dim_shippers', 'dim_suppliers', 'dim_territories', 'dim_us_states'],
            '') AS target,
        max(generation) AS highest,
        any(topic) AS name,
        topic_id,
        partitions,
        argMin(run_id, closed_at) AS first_run,
        min(closed_at) AS first_closed
    FROM {ops}.windows
    WHERE mode IN ('origin', 'plan', 'reset', 'range') AND topic_id != '' AND partitions > 0
    GROUP BY target, topic_id, partitions
)
WHERE target != ''
  AND (target, highest) NOT IN (SELECT target, generation FROM {ops}.generations)
  AND (target, topic_id, partitions) NOT IN (SELECT target, topic_id, partitions FROM {ops}.generations)
ORDER BY target, highest, first_closed
LIMIT 1 BY target, highest;

-- Each run asks whether the table has rows above the books' generation.
ALTER TABLE {db}.dim_customers ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_customers MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_categories ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_categories MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_customer_customer_demo ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_customer_customer_demo MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_customer_demographics ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_customer_demographics MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_employee_territories ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_employee_territories MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_employees ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_employees MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_products ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_products MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_regions ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_regions MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_shippers ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_shippers MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_suppliers ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_suppliers MATERIALIZE INDEX newest;
ALTER TABLE {db}.fact_orders ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.fact_orders MATERIALIZE INDEX newest;
ALTER TABLE {db}.fact_order_details ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.fact_order_details MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_territories ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_territories MATERIALIZE INDEX newest;
ALTER TABLE {db}.dim_us_states ADD INDEX IF NOT EXISTS newest _version TYPE minmax GRANULARITY 1;
ALTER TABLE {db}.dim_us_states MATERIALIZE INDEX newest;
