-- Live lines of live orders, with what they point at. Values are as wide here as in the tables they come from.
SELECT
    line.order_id AS order_id,
    placed.order_date AS order_date,
    ifNull(placed.customer_id, '') AS customer_id,
    customer.company_name AS customer_name,
    ifNull(placed.employee_id, 0) AS employee_id,
    employee.name AS employee_name,
    employee.photo_url AS employee_photo_url,
    line.product_id AS product_id,
    product.product_name AS product_name,
    category.category_name AS category_name,
    supplier.company_name AS supplier_name,
    line.unit_price AS unit_price,
    line.quantity AS quantity,
    line.discount AS discount,
    round(toDecimal256(line.unit_price, 4) * line.quantity * (1 - toDecimal256(line.discount, 4)), 2) AS total_amount,
    greatest(line._source_ts_ms, placed._source_ts_ms) AS _source_ts_ms
FROM
(
    SELECT order_id, product_id, unit_price, quantity, discount, _source_ts_ms
    FROM {db}.fact_order_details FINAL
    WHERE (order_id, product_id) IN {keys}
) AS line
INNER JOIN
(
    SELECT order_id, order_date, customer_id, employee_id, _source_ts_ms
    FROM {db}.fact_orders FINAL
    WHERE order_id IN (SELECT order_id FROM {keys})
) AS placed ON placed.order_id = line.order_id
LEFT JOIN (SELECT customer_id, company_name FROM {db}.dim_customers FINAL) AS customer
    ON customer.customer_id = placed.customer_id
LEFT JOIN
(
    SELECT employee_id, concat(first_name, ' ', last_name) AS name, ifNull(photo_path, '') AS photo_url
    FROM {db}.dim_employees FINAL
) AS employee ON employee.employee_id = placed.employee_id
LEFT JOIN (SELECT product_id, product_name, category_id, supplier_id FROM {db}.dim_products FINAL) AS product
    ON product.product_id = line.product_id
LEFT JOIN (SELECT category_id, category_name FROM {db}.dim_categories FINAL) AS category
    ON category.category_id = product.category_id
LEFT JOIN (SELECT supplier_id, company_name FROM {db}.dim_suppliers FINAL) AS supplier
    ON supplier.supplier_id = product.supplier_id
