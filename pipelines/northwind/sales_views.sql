-- Views for people, over the live rows of order_wide. `orders` counts an order once, however many of its lines are in the group.

CREATE OR REPLACE VIEW {db}.v_sales_by_employee AS
SELECT
    toStartOfMonth(order_date) AS month,
    employee_id,
    employee_name,
    employee_photo_url,
    uniqExact(order_id) AS orders,
    sum(total_amount) AS revenue
FROM {db}.order_wide FINAL
GROUP BY month, employee_id, employee_name, employee_photo_url;

CREATE OR REPLACE VIEW {db}.v_sales_by_category AS
SELECT
    toStartOfMonth(order_date) AS month,
    category_name,
    uniqExact(order_id) AS orders,
    sum(quantity) AS units,
    sum(total_amount) AS revenue
FROM {db}.order_wide FINAL
GROUP BY month, category_name;

-- The country that the goods went to; only where the order does not say it, the one where the customer lives today.
CREATE OR REPLACE VIEW {db}.v_sales_by_country AS
SELECT
    toStartOfMonth(wide.order_date) AS month,
    coalesce(nullIf(placed.ship_country, ''), customer.country, '') AS country,
    uniqExact(wide.order_id) AS orders,
    sum(wide.total_amount) AS revenue
FROM (SELECT order_id, order_date, customer_id, total_amount FROM {db}.order_wide FINAL) AS wide
LEFT JOIN (SELECT order_id, ship_country FROM {db}.fact_orders FINAL) AS placed ON placed.order_id = wide.order_id
LEFT JOIN (SELECT customer_id, country FROM {db}.dim_customers FINAL) AS customer
    ON customer.customer_id = wide.customer_id
GROUP BY month, country;
