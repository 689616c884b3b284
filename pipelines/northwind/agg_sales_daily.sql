-- What the lines of a day, country and category add up to. Each line is rounded before it is added, as order_wide shows it.
SELECT
    member.day AS day,
    member.country AS country,
    member.category AS category,
    uniqExact(line.order_id) AS orders,
    count() AS lines,
    sum(line.quantity) AS quantity,
    sum(line.revenue) AS revenue,
    sum(line.discount) AS discount,
    max(line._source_ts_ms) AS _source_ts_ms
FROM {members} AS member
INNER JOIN
(
    SELECT
        order_id,
        product_id,
        quantity,
        round(toDecimal256(unit_price, 4) * quantity * (1 - toDecimal256(share, 4)), 2) AS revenue,
        round(toDecimal256(unit_price, 4) * quantity * toDecimal256(share, 4), 2) AS discount,
        _source_ts_ms
    FROM
    (
        SELECT order_id, product_id, unit_price, quantity, discount AS share, _source_ts_ms
        FROM {db}.fact_order_details FINAL
        WHERE (order_id, product_id) IN (SELECT order_id, product_id FROM {members})
    )
) AS line ON line.order_id = member.order_id AND line.product_id = member.product_id
GROUP BY day, country, category
