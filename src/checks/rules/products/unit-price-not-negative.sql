-- Products with a negative list price.
SELECT product_id, unit_price FROM {rows} AS product WHERE unit_price < 0
