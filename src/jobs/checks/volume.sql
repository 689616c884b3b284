-- Runs that read far more, or far fewer, records than the runs of the same job before them.
WITH runs AS
(
    SELECT run_id, min(closed_at) AS first_closed, sum(written + rejected + tombstones + truncates) AS records,
           max({is_judged}) AS judged
    FROM northwind_ops.windows
    WHERE mode = 'plan' AND job = '{job}'
    GROUP BY run_id
    HAVING records > 0
),
beside_earlier AS
(
    SELECT *, groupArray(records) OVER (ORDER BY first_closed, run_id ROWS BETWEEN {most_runs} PRECEDING AND 1 PRECEDING) AS earlier
    FROM runs
)
SELECT run_id, toString(first_closed) AS closed_at, records, arrayReduce('medianExact', earlier) AS median,
       arrayReduce('medianExact', arrayMap(n -> abs(n - median), earlier)) AS median_deviation,
       greatest({deviations} * 1.4826 * median_deviation, {tolerance}) AS tolerated
FROM beside_earlier
WHERE judged AND length(earlier) >= {fewest_runs} AND abs(records - median) > tolerated
ORDER BY first_closed
