-- The books say which warehouse they are of, and where its jobs lock. `migrate` writes the row, before it changes anything else.
CREATE TABLE IF NOT EXISTS {ops}.installation
(
    warehouse     String COMMENT 'database of the warehouse tables',
    lock_system   String COMMENT 'system identifier of the PostgreSQL server in which jobs lock; empty if it does not tell',
    lock_database String COMMENT 'its database',
    noted_by      String COMMENT 'version of the executable',
    noted_at      DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY noted_at
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE {ops}.generations
    ADD COLUMN IF NOT EXISTS former Bool DEFAULT false
    COMMENT 'rows of the topic stand under this number from the time when numbers belonged to groups; it is not the topic''s number' AFTER taken_at;

-- Before numbers belonged to topics, groups could write one topic under several, and several topics under one. What a topic has written under
-- other numbers than its own. A table that was made anew meanwhile has none of it.
INSERT INTO {ops}.generations (target, generation, topic, topic_id, partitions, run_id, taken_at, former)
SELECT wrote.target, wrote.generation, wrote.name, wrote.topic_id, wrote.counted, wrote.first_run, wrote.first_closed, true
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
        windows.generation AS generation,
        any(windows.topic) AS name,
        windows.topic_id AS topic_id,
        max(windows.partitions) AS counted,
        argMin(windows.run_id, closed_at) AS first_run,
        min(closed_at) AS first_closed,
        max(closed_at) AS last_closed
    FROM {ops}.windows
    WHERE mode IN ('plan', 'range') AND topic_id != '' AND written + rejected > 0
    GROUP BY target, generation, topic_id
) AS wrote
LEFT JOIN
(
    SELECT target, generation, min(taken_at) AS taken_at
    FROM {ops}.generations
    WHERE NOT former
    GROUP BY target, generation
) AS held ON held.target = wrote.target AND held.generation = wrote.generation
WHERE wrote.target != ''
  AND wrote.last_closed >= held.taken_at
  AND (wrote.target, wrote.generation, wrote.topic_id) NOT IN (SELECT target, generation, topic_id FROM {ops}.generations);
