-- The day, country and category that each line is counted in. The country is the one that the goods went to; only where the order does
-- not say it, the one where the customer lives today. A line whose order has not arrived, or has no date, is counted nowhere.
SELECT
    line.order_id AS order_id,
    line.product_id AS product_id,
    placed.order_date AS day,
    coalesce(nullIf(placed.ship_country, ''), customer.country, '') AS country,
    category.category_name AS category
FROM
(
    SELECT order_id, product_id
    FROM {db}.fact_order_details FINAL
    WHERE (order_id, product_id) IN {keys}
) AS line
INNER JOIN
(
    SELECT order_id, order_date, customer_id, ship_country
    FROM {db}.fact_orders FINAL
    WHERE order_id IN (SELECT order_id FROM {keys}) AND order_date IS NOT NULL
) AS placed ON placed.order_id = line.order_id
LEFT JOIN (SELECT customer_id, country FROM {db}.dim_customers FINAL) AS customer
    ON customer.customer_id = placed.customer_id
LEFT JOIN (SELECT product_id, category_id FROM {db}.dim_products FINAL) AS product
    ON product.product_id = line.product_id
LEFT JOIN (SELECT category_id, category_name FROM {db}.dim_categories FINAL) AS category
    ON category.category_id = product.category_id
