-- The schema as the first release had it: books that know no version are this. Each table is made only where it is missing, so on
-- whole books nothing happens, and on books whose first `migrate` was cut short the rest is added. Never changed again: what comes
-- later is a migration of its own.


CREATE TABLE IF NOT EXISTS {ops}.runs
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
    host        String DEFAULT '',
    version     LowCardinality(String) DEFAULT '',
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    started_at  DateTime64(3, 'UTC'),
    updated_at  DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (job, started_at, run_id)
TTL toDateTime(started_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.windows
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

CREATE TABLE IF NOT EXISTS {ops}.consumed
(
    consumer    LowCardinality(String),
    token       String,
    run_id      String,
    consumed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(consumed_at)
ORDER BY (consumer, token)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.builds
(
    job      LowCardinality(String),
    build    UInt64,
    run_id   String,
    taken_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (job, build)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.touched_lines
(
    build      UInt64,
    order_id   Int64,
    product_id Int64
)
ENGINE = MergeTree
ORDER BY (build, order_id, product_id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.rejected
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
    rejected_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(attempt)
ORDER BY (topic, topic_id, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.warnings
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

CREATE TABLE IF NOT EXISTS {ops}.truncates
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
CREATE TABLE IF NOT EXISTS {ops}.check_results
(
    run_id      String,
    job         LowCardinality(String),
    check_name  LowCardinality(String),
    table       LowCardinality(String),
    scope       LowCardinality(String),
    status      LowCardinality(String) COMMENT 'pass, warn, fail, error or inconclusive',
    measured    Float64 COMMENT 'what the check counted',
    expected    String COMMENT 'what would pass',
    detail      String,
    fence       String COMMENT 'JSON: the moment the result is about',
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    started_at  DateTime64(3, 'UTC'),
    finished_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (check_name, table, finished_at, run_id)
TTL toDateTime(finished_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.check_failures
(
    run_id          String,
    check_name      LowCardinality(String),
    table           LowCardinality(String),
    owner           LowCardinality(String) COMMENT 'source or pipeline: whose fault it is',
    row_key         String,
    column          String,
    source_value    Nullable(String),
    warehouse_value Nullable(String),
    partition       Nullable(Int32) COMMENT 'coordinates of the row''s last event',
    offset          Nullable(Int64),
    detail          String,
    found_at        DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (check_name, table, found_at, run_id)
TTL toDateTime(found_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.observed_connectors
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    connector   LowCardinality(String),
    task        Int32 COMMENT '-1 is the connector itself',
    state       LowCardinality(String) COMMENT 'RUNNING, FAILED, PAUSED, STOPPED, UNASSIGNED or RESTARTING',
    worker      LowCardinality(String),
    trace       String DEFAULT '' COMMENT 'why it has failed'
)
ENGINE = MergeTree
ORDER BY (connector, observed_at, task)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.observed_slots
(
    run_id            String,
    observed_at       DateTime64(3, 'UTC'),
    dag_run_id        String DEFAULT '',
    slot              LowCardinality(String),
    active            UInt8 COMMENT 'does somebody read it?',
    wal_status        LowCardinality(String) COMMENT 'reserved, extended, unreserved or lost',
    retained_bytes    Nullable(Int64) COMMENT 'WAL that PostgreSQL keeps for it; NULL if it is lost',
    confirmed_lsn     Nullable(Int64) COMMENT 'up to where its reader has confirmed that it has everything',
    unconfirmed_bytes Nullable(Int64) COMMENT 'WAL behind that'
)
ENGINE = MergeTree
ORDER BY (slot, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.observed_lags
(
    run_id        String,
    observed_at   DateTime64(3, 'UTC'),
    dag_run_id    String DEFAULT '',
    topic         LowCardinality(String),
    group_id      LowCardinality(String),
    lag           UInt64 COMMENT 'offsets that are not ingested yet',
    lag_seconds   Nullable(UInt64) COMMENT 'age of the oldest of these records; NULL if it could not be read in time',
    disagreements String DEFAULT '' COMMENT 'why the next run would stop: commits and ledger do not fit'
)
ENGINE = MergeTree
ORDER BY (topic, group_id, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.connector_restarts
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '',
    connector   LowCardinality(String),
    failed      Array(String) COMMENT 'what had failed: connector, task 0, …'
)
ENGINE = MergeTree
ORDER BY (connector, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_customers
(
    customer_id   String COMMENT 'without the trailing blanks of bpchar',
    company_name  String,
    contact_name  Nullable(String),
    contact_title Nullable(String),
    address       Nullable(String),
    city          Nullable(String),
    region        Nullable(String),
    postal_code   Nullable(String),
    country       Nullable(String),
    phone         Nullable(String),
    fax           Nullable(String),
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY customer_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_categories
(
    category_id   Int64,
    category_name String,
    description   Nullable(String),
    picture       Tuple(Nullable(Int64), Nullable(String)) COMMENT 'length in bytes, SHA-256 in hex; the bytes themselves are not kept here',
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY category_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_customer_customer_demo
(
    customer_id      String COMMENT 'without the trailing blanks of bpchar',
    customer_type_id String COMMENT 'without the trailing blanks of bpchar',
    op               String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts           DateTime('UTC') COMMENT 'when the source committed the change',
    _version         UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted         UInt8,
    _updated_at      DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms    Int64,
    _lsn             Nullable(UInt64),
    _tx_id           Nullable(UInt64),
    _partition       Int32,
    _offset          Int64,
    _extra           String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY (customer_id, customer_type_id)
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_customer_demographics
(
    customer_type_id String COMMENT 'without the trailing blanks of bpchar',
    customer_desc    Nullable(String),
    op               String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts           DateTime('UTC') COMMENT 'when the source committed the change',
    _version         UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted         UInt8,
    _updated_at      DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms    Int64,
    _lsn             Nullable(UInt64),
    _tx_id           Nullable(UInt64),
    _partition       Int32,
    _offset          Int64,
    _extra           String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY customer_type_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_employee_territories
(
    employee_id   Int64,
    territory_id  String,
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY (employee_id, territory_id)
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_employees
(
    employee_id       Int64,
    last_name         String,
    first_name        String,
    title             Nullable(String),
    title_of_courtesy Nullable(String),
    birth_date        Nullable(Date32),
    hire_date         Nullable(Date32),
    address           Nullable(String),
    city              Nullable(String),
    region            Nullable(String),
    postal_code       Nullable(String),
    country           Nullable(String),
    home_phone        Nullable(String),
    extension         Nullable(String),
    photo             Tuple(Nullable(Int64), Nullable(String)) COMMENT 'length in bytes, SHA-256 in hex; the bytes themselves are not kept here',
    notes             Nullable(String),
    reports_to        Nullable(Int64),
    photo_path        Nullable(String),
    op                String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts            DateTime('UTC') COMMENT 'when the source committed the change',
    _version          UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted          UInt8,
    _updated_at       DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms     Int64,
    _lsn              Nullable(UInt64),
    _tx_id            Nullable(UInt64),
    _partition        Int32,
    _offset           Int64,
    _extra            String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY employee_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_products
(
    product_id        Int64,
    product_name      String,
    supplier_id       Nullable(Int64),
    category_id       Nullable(Int64),
    quantity_per_unit Nullable(String),
    unit_price        Nullable(Decimal(18, 4)),
    units_in_stock    Nullable(Int64),
    units_on_order    Nullable(Int64),
    reorder_level     Nullable(Int64),
    discontinued      Int64,
    op                String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts            DateTime('UTC') COMMENT 'when the source committed the change',
    _version          UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted          UInt8,
    _updated_at       DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms     Int64,
    _lsn              Nullable(UInt64),
    _tx_id            Nullable(UInt64),
    _partition        Int32,
    _offset           Int64,
    _extra            String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY product_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_regions
(
    region_id          Int64,
    region_description String COMMENT 'without the trailing blanks of bpchar',
    op                 String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts             DateTime('UTC') COMMENT 'when the source committed the change',
    _version           UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted           UInt8,
    _updated_at        DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms      Int64,
    _lsn               Nullable(UInt64),
    _tx_id             Nullable(UInt64),
    _partition         Int32,
    _offset            Int64,
    _extra             String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY region_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_shippers
(
    shipper_id    Int64,
    company_name  String,
    phone         Nullable(String),
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY shipper_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_suppliers
(
    supplier_id   Int64,
    company_name  String,
    contact_name  Nullable(String),
    contact_title Nullable(String),
    address       Nullable(String),
    city          Nullable(String),
    region        Nullable(String),
    postal_code   Nullable(String),
    country       Nullable(String),
    phone         Nullable(String),
    fax           Nullable(String),
    homepage      Nullable(String),
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY supplier_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.fact_orders
(
    order_id         Int64,
    customer_id      Nullable(String) COMMENT 'without the trailing blanks of bpchar',
    employee_id      Nullable(Int64),
    order_date       Nullable(Date32),
    required_date    Nullable(Date32),
    shipped_date     Nullable(Date32),
    ship_via         Nullable(Int64),
    freight          Nullable(Decimal(18, 4)),
    ship_name        Nullable(String),
    ship_address     Nullable(String),
    ship_city        Nullable(String),
    ship_region      Nullable(String),
    ship_postal_code Nullable(String),
    ship_country     Nullable(String),
    op               String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts           DateTime('UTC') COMMENT 'when the source committed the change',
    _version         UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted         UInt8,
    _updated_at      DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms    Int64,
    _lsn             Nullable(UInt64),
    _tx_id           Nullable(UInt64),
    _partition       Int32,
    _offset          Int64,
    _extra           String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY order_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.fact_order_details
(
    order_id      Int64,
    product_id    Int64,
    unit_price    Decimal(18, 4),
    quantity      Int64,
    discount      Decimal(18, 4),
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY (order_id, product_id)
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_territories
(
    territory_id          String,
    territory_description String COMMENT 'without the trailing blanks of bpchar',
    region_id             Int64,
    op                    String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts                DateTime('UTC') COMMENT 'when the source committed the change',
    _version              UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted              UInt8,
    _updated_at           DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms         Int64,
    _lsn                  Nullable(UInt64),
    _tx_id                Nullable(UInt64),
    _partition            Int32,
    _offset               Int64,
    _extra                String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY territory_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.dim_us_states
(
    state_id      Int64,
    state_name    Nullable(String),
    state_abbr    Nullable(String),
    state_region  Nullable(String),
    op            String COMMENT 'r, c, u, d as Debezium says it; t for a row that a TRUNCATE removed',
    src_ts        DateTime('UTC') COMMENT 'when the source committed the change',
    _version      UInt64 COMMENT 'log order: generation:12 | offset:44 | step:8',
    _deleted      UInt8,
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64,
    _lsn          Nullable(UInt64),
    _tx_id        Nullable(UInt64),
    _partition    Int32,
    _offset       Int64,
    _extra        String COMMENT 'JSON of the columns this table does not have yet, or empty',
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY state_id
SETTINGS non_replicated_deduplication_window = 10000;
CREATE TABLE IF NOT EXISTS {db}.order_wide
(
    order_id           Int32,
    order_date         Date COMMENT 'lines of an order without a date are not in this table',
    customer_id        String COMMENT 'empty if the order has no customer',
    customer_name      String COMMENT 'empty if there is no customer, or its row has not arrived yet',
    employee_id        Int32 COMMENT '0 if the order has no employee',
    employee_name      String COMMENT 'first and last name; empty if there is no employee, or the row has not arrived yet',
    employee_photo_url String COMMENT 'empty if the employee has none',
    product_id         Int32,
    product_name       String COMMENT 'empty if the product''s row has not arrived yet',
    category_name      String COMMENT 'empty if the product has no category, or its row has not arrived yet',
    supplier_name      String COMMENT 'empty if the product has no supplier, or its row has not arrived yet',
    unit_price         Decimal(10, 2),
    quantity           Int16,
    discount           Decimal(10, 2),
    total_amount       Decimal(15, 2) COMMENT 'unit_price × quantity × (1 − discount), rounded once, half away from zero',
    _version           UInt64 COMMENT 'of build number n: 2n + 1 for a row, 2n for a delete marker',
    _updated_at        DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms      Int64 COMMENT 'when the source committed the newest change of the line or of its order',
    _deleted           UInt8
)
ENGINE = ReplacingMergeTree(_version, _deleted)
PARTITION BY toYYYYMM(order_date)
ORDER BY (order_id, product_id)
SETTINGS non_replicated_deduplication_window = 10000;
