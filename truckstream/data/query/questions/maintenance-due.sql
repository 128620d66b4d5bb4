-- Trucks with less than 1,000 miles left until their maintenance at 15,000 miles, the most overdue first.
WITH latest AS (
    SELECT truck_id, max_by(miles_since_maintenance, "timestamp") AS miles, max("timestamp") AS reported
    FROM records
    GROUP BY truck_id
)
SELECT truck_id, miles AS miles_since_maintenance, 15000 - miles AS miles_left, reported
FROM latest
WHERE miles > 14000
ORDER BY miles DESC, truck_id
