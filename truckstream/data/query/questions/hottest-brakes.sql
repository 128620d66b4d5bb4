-- The 20 trucks with the hottest brakes: when, at what speed, and in what share of the reports they were above 170 degrees Fahrenheit.
SELECT
    truck_id,
    max(brake_temp) AS hottest,
    max_by("timestamp", brake_temp) AS at_time,
    max_by(speed, brake_temp) AS at_speed,
    round(100.0 * avg(CASE WHEN brake_temp > 170 THEN 1 ELSE 0 END), 1) AS percent_above_170
FROM records
GROUP BY truck_id
ORDER BY hottest DESC, truck_id
LIMIT 20
