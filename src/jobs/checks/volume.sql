-- Runs that read far more, or far fewer, records than the runs of the same job before them.
-- Where the runs begin that are looked at is asked first, of the key and of numbers alone: summaries are read from there on.
WITH
(
    SELECT min(started_at) FROM
    (
        SELECT started_at
        FROM {ops}.runs
        WHERE job = '{job}' AND {is_before} AND written + rejected + tombstones + truncates > 0
        ORDER BY started_at DESC
        LIMIT {before}
    )
) AS since,
lately AS
(
    SELECT run_id, started_at, written + rejected + tombstones + truncates AS records, {is_judged} AS judged
    FROM {ops}.runs
    WHERE job = '{job}' AND started_at >= since AND records > 0 AND JSONExtractString(summary, 'plan', 'mode') = 'plan'
    ORDER BY started_at DESC
    LIMIT 1 BY run_id
    LIMIT {looked_at}
),
beside_earlier AS
(
    SELECT *, groupArray(records) OVER (ORDER BY started_at, run_id ROWS BETWEEN {most_runs} PRECEDING AND 1 PRECEDING) AS earlier
    FROM lately
)
SELECT run_id, toString(started_at) AS started, records, arrayReduce('medianExact', earlier) AS median,
       arrayReduce('medianExact', arrayMap(n -> abs(n - median), earlier)) AS median_deviation,
       greatest({deviations} * 1.4826 * median_deviation, {tolerance}) AS tolerated
FROM beside_earlier
WHERE judged AND length(earlier) >= {fewest_runs} AND abs(records - median) > tolerated
ORDER BY started_at
