-- The 20 tyres with the lowest pressure in the latest report of their truck, and how much they have lost since their best.
WITH reports AS (
    SELECT truck_id, "timestamp", tire_pressure_fl, tire_pressure_fr, tire_pressure_rl, tire_pressure_rr FROM records
),
tyres AS (
    SELECT truck_id, "timestamp", tyre,
    CASE tyre
        WHEN 'front left' THEN tire_pressure_fl
        WHEN 'front right' THEN tire_pressure_fr
        WHEN 'rear left' THEN tire_pressure_rl
        ELSE tire_pressure_rr
    END AS psi
    FROM reports CROSS JOIN (VALUES ('front left'), ('front right'), ('rear left'), ('rear right')) AS wheels (tyre)
)
SELECT
    truck_id,
    tyre,
    max_by(psi, "timestamp") AS psi,
    round(max(psi) - max_by(psi, "timestamp"), 2) AS lost,
    max("timestamp") AS reported
FROM tyres
GROUP BY truck_id, tyre
ORDER BY 3, truck_id, tyre
LIMIT 20
