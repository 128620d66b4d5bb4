-- The latest report of each truck, by health status: how many trucks, and the one that reported first and last.
WITH latest AS (
    SELECT truck_id, max_by(health_status, "timestamp") AS health_status, max("timestamp") AS reported
    FROM records
    GROUP BY truck_id
)
SELECT
    health_status,
    count(*) AS trucks,
    round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent,
    min(reported) AS oldest_report,
    min_by(truck_id, reported) AS of_truck,
    max(reported) AS newest_report
FROM latest
GROUP BY health_status
ORDER BY CASE health_status WHEN 'URGENT' THEN 1 WHEN 'WARNING' THEN 2 ELSE 3 END
