-- northwind.public.orders. One live row per order_id: read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.fact_orders
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
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1,
    INDEX newest _version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY order_id
SETTINGS non_replicated_deduplication_window = 10000;
