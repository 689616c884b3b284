-- northwind.public.products. One live row per product_id: read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.dim_products
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
    INDEX ix_offset _offset TYPE minmax GRANULARITY 1,
    INDEX newest _version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY product_id
SETTINGS non_replicated_deduplication_window = 10000;
