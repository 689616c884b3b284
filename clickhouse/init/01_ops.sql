-- northwind_ops: what the pipeline knows about itself.
-- `windows`, `consumed`, `builds`, `truncates` and `rejected` are the memory of the pipeline: they have no TTL.
-- `runs` and `warnings` are history for people and expire.

-- One row when a run starts (status 'running') and one when it ends, for every outcome.
CREATE TABLE IF NOT EXISTS northwind_ops.runs
(
    run_id      String,
    job         LowCardinality(String),
    topic       String DEFAULT '',
    group_id    String DEFAULT '',
    status      LowCardinality(String),
    exit_code   Int16 DEFAULT 0,
    written     UInt64 DEFAULT 0,
    rejected    UInt64 DEFAULT 0,
    tombstones  UInt64 DEFAULT 0,
    truncates   UInt64 DEFAULT 0,
    gaps        UInt64 DEFAULT 0,
    summary     String DEFAULT '' COMMENT 'the run''s JSON summary, as printed',
    error       String DEFAULT '' COMMENT 'why it did not end well, as printed',
    host        String DEFAULT '',
    version     LowCardinality(String) DEFAULT '',
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    started_at  DateTime64(3, 'UTC'),
    updated_at  DateTime64(3, 'UTC'),
    PROJECTION last (SELECT job, max(started_at) GROUP BY job)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (job, started_at, run_id)
TTL toDateTime(started_at) + INTERVAL 180 DAY
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000, deduplicate_merge_projection_mode = 'rebuild';

-- The ledger. A row of mode origin, plan or reset moves the group's end on this partition to `end_offset`;
-- rows of mode range, replay and repair carry seq 0 and move nothing.
CREATE TABLE IF NOT EXISTS northwind_ops.windows
(
    group_id     String,
    topic        String,
    topic_id     String,
    partition    Int32,
    generation   UInt16,
    mode         LowCardinality(String) COMMENT 'origin, plan, reset, range, replay or repair',
    seq          UInt64,
    start_offset Int64,
    end_offset   Int64,
    written      UInt64,
    rejected     UInt64,
    tombstones   UInt64,
    truncates    UInt64,
    gaps         UInt64,
    partitions   UInt32 COMMENT 'number of partitions of the topic at that time',
    token        String COMMENT 'deduplication token of the window''s rows',
    job          LowCardinality(String),
    run_id       String,
    reason       String DEFAULT '',
    closed_at    DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (group_id, topic, topic_id, partition, seq, start_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which consumer (a check, a derived table) has taken up which window.
CREATE TABLE IF NOT EXISTS northwind_ops.consumed
(
    consumer    LowCardinality(String),
    token       String,
    run_id      String,
    consumed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(consumed_at)
ORDER BY (consumer, token)
SETTINGS non_replicated_deduplication_window = 10000;

-- The numbers of the builds of derived tables. A build takes the next one before it writes anything else; the highest number
-- is the only one that may still write.
CREATE TABLE IF NOT EXISTS northwind_ops.builds
(
    job      LowCardinality(String),
    build    UInt64,
    run_id   String,
    taken_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (job, build)
SETTINGS non_replicated_deduplication_window = 10000;

-- The order lines that the latest build of order_wide had to do again. A build begins by emptying this table.
CREATE TABLE IF NOT EXISTS northwind_ops.touched_lines
(
    build      UInt64,
    order_id   Int64,
    product_id Int64
)
ENGINE = MergeTree
ORDER BY (build, order_id, product_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- The quarantine: every record that was refused, with its bytes, where it stands and why.
CREATE TABLE IF NOT EXISTS northwind_ops.rejected
(
    table       LowCardinality(String),
    topic       String,
    topic_id    String,
    partition   Int32,
    offset      Int64,
    key         String COMMENT 'the message key, raw bytes',
    row_key     String COMMENT 'the row''s key, if it could be read',
    payload     String COMMENT 'the message value, raw bytes',
    headers     String COMMENT 'JSON: [[name, value], …]',
    record_ts   DateTime64(3, 'UTC') COMMENT 'the record''s timestamp in Kafka',
    version     UInt64 COMMENT 'the _version its row would have',
    lsn         Nullable(UInt64),
    rule        LowCardinality(String),
    detail      String,
    run_id      String,
    attempt     UInt32,
    status      LowCardinality(String) COMMENT 'open, resolved or superseded',
    rejected_at DateTime64(3, 'UTC'),
    INDEX by_status status TYPE set(4) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(attempt)
ORDER BY (topic, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- Rows that were written although a rule of severity `warn` was broken.
CREATE TABLE IF NOT EXISTS northwind_ops.warnings
(
    table     LowCardinality(String),
    topic     String,
    topic_id  String,
    partition Int32,
    offset    Int64,
    row_key   String,
    rule      LowCardinality(String),
    detail    String,
    run_id    String,
    warned_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(warned_at)
ORDER BY (topic, topic_id, partition, offset, rule)
TTL toDateTime(warned_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- TRUNCATE events: rows of the table with a lower LSN are gone, whenever they arrive.
CREATE TABLE IF NOT EXISTS northwind_ops.truncates
(
    table      LowCardinality(String),
    topic      String,
    topic_id   String,
    generation UInt16,
    partition  Int32,
    offset     Int64,
    lsn        UInt64,
    run_id     String,
    stored_at  DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY (table, topic, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;
