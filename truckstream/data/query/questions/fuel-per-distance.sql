-- The 20 trucks that use the most fuel per distance, of those that drove. The reports of a truck should be equally far apart in time.
SELECT
    truck_id,
    round(100 * avg(fuel_consumption_rate) / avg(speed), 2) AS gallons_per_100_miles,
    round(avg(fuel_consumption_rate), 2) AS gallons_per_hour,
    round(avg(speed), 1) AS miles_per_hour,
    count(*) AS reports
FROM records
GROUP BY truck_id
HAVING avg(speed) > 5
ORDER BY gallons_per_100_miles DESC, truck_id
LIMIT 20
