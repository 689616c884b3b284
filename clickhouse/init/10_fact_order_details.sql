-- northwind.public.order_details. One live row per (order_id, product_id): read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.fact_order_details
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
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1,
    INDEX newest _version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY (order_id, product_id)
SETTINGS non_replicated_deduplication_window = 10000;
