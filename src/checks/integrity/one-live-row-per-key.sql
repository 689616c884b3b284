-- Keys that have more than one live row.
SELECT {key}, count(*) AS live_rows FROM {rows} AS found GROUP BY {key} HAVING count(*) > 1
