-- What a build is about to write, before it writes anything.
SELECT
    count() AS lines,
    uniqExactIf(order_id, order_date IS NULL) AS without_date,
    countIf(notEmpty(misfits)) AS misfit_lines,
    groupArrayIf(5)(
        concat('order ', toString(order_id), ', product ', toString(product_id), ': ', arrayStringConcat(misfits, ' and ')),
        notEmpty(misfits)
    ) AS examples
FROM (
{lines}
)
SETTINGS join_use_nulls = 0
