-- Records by the minute of their arrival, and the seconds from a truck's report to its arrival in the stream. Without stream fields the arrival is that of the object's first record.
WITH arrived AS (
    SELECT truck_id, try_cast("timestamp" AS timestamp) AS reported,
    coalesce(kinesis_arrival_time, object_arrival) AS arrival
    FROM records
)
SELECT
    date_trunc('minute', arrival) AS minute,
    count(*) AS records,
    count(DISTINCT truck_id) AS trucks,
    round(avg(date_diff('second', reported, arrival)), 1) AS mean_lag,
    max(date_diff('second', reported, arrival)) AS longest_lag
FROM arrived
GROUP BY 1
ORDER BY 1
