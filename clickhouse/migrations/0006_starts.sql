-- A topic that got more partitions keeps, below these offsets, the number that it had with fewer: as far as any group had read it with
-- fewer. Migration 3 left this out, and books of development had it for topics that did not grow, too.
ALTER TABLE {ops}.generations
    UPDATE starts =
    (
        SELECT mapFromArrays(groupArray(place), groupArray(read))
        FROM
        (
            SELECT place, groupArray((partition, highest)) AS read
            FROM
            (
                SELECT concat(lineage.topic_id, '/', toString(lineage.partitions)) AS place, earlier.partition AS partition,
                       max(earlier.end_offset) AS highest
                FROM (SELECT DISTINCT topic_id, partitions FROM {ops}.generations) AS lineage
                INNER JOIN {ops}.windows AS earlier ON earlier.topic_id = lineage.topic_id
                WHERE earlier.partitions BETWEEN 1 AND lineage.partitions - 1
                GROUP BY place, partition
                ORDER BY place, partition
            )
            GROUP BY place
        )
    )[concat(topic_id, '/', toString(partitions))]
    WHERE 1
    SETTINGS mutations_sync = 2;

ALTER TABLE {ops}.generations COMMENT COLUMN starts 'by partition: offsets below have the number that the topic had with fewer partitions';
