-- What was sold by day, country and category; made by build-agg-sales-daily. Read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.agg_sales_daily
(
    day           Date COMMENT 'of the order; one without a date is counted nowhere',
    country       LowCardinality(String) COMMENT 'where the goods went; else where the customer lives; empty if nobody says it',
    category      LowCardinality(String) COMMENT 'empty if the product has none, or its row has not arrived yet',
    orders        UInt32,
    lines         UInt32,
    quantity      Int64,
    revenue       Decimal(18, 2) COMMENT 'sum of unit_price × quantity × (1 − discount), each line rounded',
    discount      Decimal(18, 2) COMMENT 'sum of unit_price × quantity × discount, each line rounded',
    _version      UInt64 COMMENT 'of build number n: 2n + 1 for a row, 2n for a delete marker',
    _updated_at   DateTime('UTC') COMMENT 'when this row was written here',
    _source_ts_ms Int64 COMMENT 'when the source committed the newest change of one of the lines',
    _deleted      UInt8
)
ENGINE = ReplacingMergeTree(_version, _deleted)
PARTITION BY toYear(day)
ORDER BY (day, country, category)
SETTINGS non_replicated_deduplication_window = 10000;

-- To which row of agg_sales_daily each row of order_details belongs. Read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.agg_sales_daily_members
(
    order_id   Int64,
    product_id Int64,
    day        Date,
    country    LowCardinality(String),
    category   LowCardinality(String),
    _version   UInt64 COMMENT 'of build number n: 2n + 1',
    _deleted   UInt8
)
ENGINE = ReplacingMergeTree(_version, _deleted)
ORDER BY (order_id, product_id, day, country, category)
SETTINGS non_replicated_deduplication_window = 10000;
