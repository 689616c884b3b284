-- Live lines of live orders, with what they point at. Values are as wide here as in the tables they come from; `misfits` says
-- which of them order_wide cannot hold as they are. (Conversions do not: they round decimals and wrap dates without an error.)
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
    greatest(line._source_ts_ms, placed._source_ts_ms) AS source_ts_ms,
    if(order_date IS NULL, [], arrayFilter(said -> said != '', [
        if(order_id BETWEEN -2147483648 AND 2147483647, '', 'order_id is beyond Int32'),
        if(product_id BETWEEN -2147483648 AND 2147483647, '', 'product_id is beyond Int32'),
        if(employee_id BETWEEN -2147483648 AND 2147483647, '', concat('employee_id ', toString(employee_id), ' is beyond Int32')),
        if(order_date BETWEEN toDate32('1970-01-01') AND toDate32('2149-06-06'), '',
            concat('order_date ', toString(order_date), ' is not between 1970-01-01 and 2149-06-06')),
        if(unit_price = round(unit_price, 2), '', concat('unit_price ', toString(unit_price), ' has more than two decimals')),
        if(abs(unit_price) < 100000000, '', concat('unit_price ', toString(unit_price), ' has more than eight digits before the point')),
        if(quantity BETWEEN -32768 AND 32767, '', concat('quantity ', toString(quantity), ' is beyond Int16')),
        if(discount = round(discount, 2), '', concat('discount ', toString(discount), ' has more than two decimals')),
        if(abs(discount) < 100000000, '', concat('discount ', toString(discount), ' has more than eight digits before the point')),
        if(abs(total_amount) < 10000000000000, '', concat('total_amount ', toString(total_amount), ' has more than thirteen digits before the point'))
    ])) AS misfits
FROM
(
    SELECT order_id, product_id, unit_price, quantity, discount, _source_ts_ms
    FROM {db}.fact_order_details FINAL
    WHERE {lines_touched}
) AS line
INNER JOIN
(
    SELECT order_id, order_date, customer_id, employee_id, _source_ts_ms
    FROM {db}.fact_orders FINAL
    WHERE {orders_touched}
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
