-- northwind_ops: what the pipeline knows about itself.
-- `windows`, `positions`, `postponed`, `builds`, `derived_rejected`, `generations`, `truncates` and `rejected` are the memory of the pipeline: they have no TTL.
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

-- The ledger: one row per window. Every row has the next number of its stream, from 1 and without holes.
-- Rows of mode origin, plan and reset stand in the stream of their partition, and the last of them is where the group stands; those of
-- mode range, replay and repair stand in stream -1 and move nothing.
CREATE TABLE IF NOT EXISTS northwind_ops.windows
(
    source       LowCardinality(String) COMMENT 'source table',
    group_id     LowCardinality(String),
    topic        LowCardinality(String),
    stream       Int32 COMMENT 'the partition of rows that move the group, else -1',
    seq          UInt64 COMMENT 'number in the stream: from 1, without holes',
    topic_id     String,
    partition    Int32,
    generation   UInt16,
    mode         LowCardinality(String) COMMENT 'origin, plan, reset, range, replay or repair',
    start_offset Int64,
    end_offset   Int64,
    written      UInt64,
    rejected     UInt64,
    tombstones   UInt64,
    truncates    UInt64,
    gaps         UInt64,
    gap_spans    Array(Tuple(Int64, Int64)) COMMENT 'offsets without a record, [start, end)',
    partitions   UInt32 COMMENT 'number of partitions of the topic at that time',
    token        String COMMENT 'deduplication token of the window''s rows',
    job          LowCardinality(String),
    run_id       String,
    reason       String DEFAULT '',
    source_id    String DEFAULT '' COMMENT 'system identifier and timeline of the source when the window was closed',
    closed_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'for people: nothing is decided by it',
    INDEX by_time closed_at TYPE minmax GRANULARITY 1,
    PROJECTION ends
    (
        SELECT source, group_id, topic, stream, topic_id,
               max(seq), argMax(end_offset, seq), argMax(generation, seq), argMax(partitions, seq)
        GROUP BY source, group_id, topic, stream, topic_id
    )
)
ENGINE = MergeTree
ORDER BY (source, group_id, topic, stream, seq)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- How far a consumer (a check, a derived table) has taken up a stream of the ledger: everything up to `seq`.
CREATE TABLE IF NOT EXISTS northwind_ops.positions
(
    consumer LowCardinality(String) COMMENT '`(pruned)`: up to there the ledger''s rows were removed',
    source   LowCardinality(String),
    group_id LowCardinality(String),
    topic    LowCardinality(String),
    stream   Int32,
    seq      UInt64,
    run_id   String
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (consumer, source, group_id, topic, stream)
SETTINGS non_replicated_deduplication_window = 10000;

-- Windows below a consumer's position that it has to look at again; done = 1 when it has.
CREATE TABLE IF NOT EXISTS northwind_ops.postponed
(
    consumer LowCardinality(String),
    source   LowCardinality(String),
    group_id LowCardinality(String),
    topic    LowCardinality(String),
    stream   Int32,
    seq      UInt64,
    run_id   String,
    done     UInt8
)
ENGINE = ReplacingMergeTree(done)
ORDER BY (consumer, source, group_id, topic, stream, seq)
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

-- Rows of derived tables that are not in them, because a value does not fit. A build that finds one whole again, or gone, says healed = 1.
CREATE TABLE IF NOT EXISTS northwind_ops.derived_rejected
(
    derived     LowCardinality(String),
    key         String COMMENT 'of the derived table, or of the one that it is driven by, as JSON',
    misfits     Array(String),
    build       UInt64,
    rejected_at DateTime64(3, 'UTC') COMMENT 'when this build said so',
    healed      UInt8
)
ENGINE = ReplacingMergeTree(build)
ORDER BY (derived, key)
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

-- Which topics a warehouse table has been read from. A lineage is a topic id with a number of partitions; whatever its groups, it
-- has one generation, the highest part of its rows' `_version`. Of two rows with one generation the first one counts.
CREATE TABLE IF NOT EXISTS northwind_ops.generations
(
    target     LowCardinality(String) COMMENT 'warehouse table',
    generation UInt16,
    topic      String,
    topic_id   String,
    partitions UInt32,
    starts     Array(Tuple(Int32, Int64)) COMMENT 'by partition: offsets below have the number that the topic had with fewer partitions',
    run_id     String COMMENT 'the run that took the number',
    taken_at   DateTime64(3, 'UTC'),
    former     Bool DEFAULT false COMMENT 'rows of the topic stand under this number from the time when numbers belonged to groups; it is not the topic''s number'
)
ENGINE = MergeTree
ORDER BY (target, generation)
SETTINGS non_replicated_deduplication_window = 10000;

-- Topics that were declared to have no key in common with the others of their table (--side-by-side), so that every job knows it; a
-- second row of a topic says that another one came in its place (--replaced).
CREATE TABLE IF NOT EXISTS northwind_ops.side_by_side
(
    topic       String,
    replaced    UInt8 COMMENT 'another topic came in its place',
    run_id      String COMMENT 'the run that was told first',
    declared_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PRIMARY KEY topic
ORDER BY (topic, replaced)
SETTINGS non_replicated_deduplication_window = 10000;

-- TRUNCATE events: which rows they remove is said in docs/DESIGN.md, "Change events".
CREATE TABLE IF NOT EXISTS northwind_ops.truncates
(
    table      LowCardinality(String),
    topic      String,
    topic_id   String,
    generation UInt16,
    partition  Int32,
    offset     Int64,
    lsn        UInt64,
    ts_ms      Int64 DEFAULT toUnixTimestamp64Milli(stored_at) COMMENT 'when the source committed it',
    run_id     String,
    stored_at  DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY (table, topic, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;
