-- The rules that the rows of postgres/init/01_northwind.sql keep, at any scale: one row of output for
-- each offending source row, none when all is well. References are checked as rows, not by the
-- foreign keys, so that the answer also holds where those are switched off.
WITH
line AS (
    SELECT
        order_details.*,
        order_id || '/' || product_id AS row_key,
        orders.order_id IS NOT NULL AS has_order,
        orders.shipped_date,
        products.product_id IS NOT NULL AS has_product,
        products.unit_price AS list_price,
        products.discontinued,
        products.units_in_stock + products.units_on_order AS available
    FROM order_details
    LEFT JOIN orders USING (order_id)
    LEFT JOIN products USING (product_id)
),
counted (table_name, got, want) AS (
    SELECT 'customers', (SELECT count(*) FROM customers), 91
    UNION ALL SELECT 'products', (SELECT count(*) FROM products), 77
    UNION ALL SELECT 'employees', (SELECT count(*) FROM employees), 9
    UNION ALL SELECT 'categories', (SELECT count(*) FROM categories), 8
    UNION ALL SELECT 'suppliers', (SELECT count(*) FROM suppliers), 29
    UNION ALL SELECT 'shippers', (SELECT count(*) FROM shippers), 6
    UNION ALL SELECT 'region', (SELECT count(*) FROM region), 4
    UNION ALL SELECT 'territories', (SELECT count(*) FROM territories), 53
    UNION ALL SELECT 'employee_territories', (SELECT count(*) FROM employee_territories), 49
    UNION ALL SELECT 'us_states', (SELECT count(*) FROM us_states), 51
    UNION ALL SELECT 'orders', (SELECT count(*) FROM orders), 830 * (SELECT ceil(count(*) / 830.0) FROM orders)
    UNION ALL SELECT 'order_details', (SELECT count(*) FROM order_details), 2155 * (SELECT ceil(count(*) / 830.0) FROM orders)
),
offending (rule, row_key) AS (
    SELECT 'row count', table_name || ': ' || got || ' instead of ' || want FROM counted WHERE got <> want

    UNION ALL SELECT 'orders: customer exists', order_id::text FROM orders o
    WHERE NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = o.customer_id)
    UNION ALL SELECT 'orders: employee exists', order_id::text FROM orders o
    WHERE NOT EXISTS (SELECT FROM employees e WHERE e.employee_id = o.employee_id)
    UNION ALL SELECT 'orders: shipper exists', order_id::text FROM orders o
    WHERE NOT EXISTS (SELECT FROM shippers s WHERE s.shipper_id = o.ship_via)
    UNION ALL SELECT 'orders: required on or after the order date', order_id::text FROM orders
    WHERE (required_date >= order_date) IS NOT true
    UNION ALL SELECT 'orders: shipped on or after the order date', order_id::text FROM orders
    WHERE shipped_date < order_date
    UNION ALL SELECT 'orders: freight not negative, whole cents', order_id::text FROM orders
    WHERE (freight >= 0 AND freight = round(freight::numeric, 2)::real) IS NOT true
    UNION ALL SELECT 'orders: has lines', order_id::text FROM orders o
    WHERE NOT EXISTS (SELECT FROM order_details d WHERE d.order_id = o.order_id)
    UNION ALL SELECT 'orders: dates follow the order id', order_id::text
    FROM (SELECT order_id, order_date < lag(order_date) OVER (ORDER BY order_id) AS earlier FROM orders) AS o
    WHERE earlier

    UNION ALL SELECT 'order_details: order exists', row_key FROM line WHERE NOT has_order
    UNION ALL SELECT 'order_details: product exists', row_key FROM line WHERE NOT has_product
    UNION ALL SELECT 'order_details: quantity above 0', row_key FROM line WHERE quantity <= 0
    UNION ALL SELECT 'order_details: unit price not negative', row_key FROM line WHERE unit_price < 0
    UNION ALL SELECT 'order_details: discount between 0 and 0.25', row_key FROM line WHERE discount NOT BETWEEN 0 AND 0.25
    UNION ALL SELECT 'order_details: list price', row_key FROM line WHERE unit_price IS DISTINCT FROM list_price
    UNION ALL SELECT 'order_details: open line, product not discontinued', row_key FROM line
    WHERE shipped_date IS NULL AND discontinued <> 0
    UNION ALL SELECT 'order_details: open line, quantity available', row_key FROM line
    WHERE shipped_date IS NULL AND quantity > available

    UNION ALL SELECT 'products: supplier exists', product_id::text FROM products p
    WHERE NOT EXISTS (SELECT FROM suppliers s WHERE s.supplier_id = p.supplier_id)
    UNION ALL SELECT 'products: category exists', product_id::text FROM products p
    WHERE NOT EXISTS (SELECT FROM categories c WHERE c.category_id = p.category_id)
    UNION ALL SELECT 'products: price and units not negative', product_id::text FROM products
    WHERE (least(unit_price, units_in_stock, units_on_order, reorder_level) >= 0) IS NOT true
    UNION ALL SELECT 'products: discontinued is 0 or 1', product_id::text FROM products
    WHERE discontinued NOT IN (0, 1)

    UNION ALL SELECT 'employees: reports to another employee', employee_id::text FROM employees e
    WHERE reports_to = employee_id
        OR (reports_to IS NOT NULL AND NOT EXISTS (SELECT FROM employees boss WHERE boss.employee_id = e.reports_to))
    UNION ALL SELECT 'employees: born before hired', employee_id::text FROM employees
    WHERE (birth_date < hire_date) IS NOT true
    UNION ALL SELECT 'employees: photo is a PNG', employee_id::text FROM employees
    WHERE (substr(photo, 1, 8) = '\x89504e470d0a1a0a') IS NOT true
    UNION ALL SELECT 'categories: picture is a PNG', category_id::text FROM categories
    WHERE (substr(picture, 1, 8) = '\x89504e470d0a1a0a') IS NOT true

    UNION ALL SELECT 'territories: region exists', territory_id FROM territories t
    WHERE NOT EXISTS (SELECT FROM region r WHERE r.region_id = t.region_id)
    UNION ALL SELECT 'employee_territories: employee exists', employee_id || '/' || territory_id FROM employee_territories t
    WHERE NOT EXISTS (SELECT FROM employees e WHERE e.employee_id = t.employee_id)
    UNION ALL SELECT 'employee_territories: territory exists', employee_id || '/' || territory_id FROM employee_territories t
    WHERE NOT EXISTS (SELECT FROM territories x WHERE x.territory_id = t.territory_id)
    UNION ALL SELECT 'customer_customer_demo: customer exists', customer_id || '/' || customer_type_id FROM customer_customer_demo d
    WHERE NOT EXISTS (SELECT FROM customers c WHERE c.customer_id = d.customer_id)
    UNION ALL SELECT 'customer_customer_demo: type exists', customer_id || '/' || customer_type_id FROM customer_customer_demo d
    WHERE NOT EXISTS (SELECT FROM customer_demographics t WHERE t.customer_type_id = d.customer_type_id)
)
SELECT rule, row_key
FROM offending
ORDER BY rule, row_key;
