-- One row per order line, with the names and the amount that people ask for; made by build-order-wide. Read with FINAL.
CREATE TABLE IF NOT EXISTS northwind_dw.order_wide
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
