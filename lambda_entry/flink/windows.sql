-- Figures of each truck in windows of 10 seconds, by the time of its reports. main.py fills in the settings and runs it.
--
-- A window is final when the newest report is 5 seconds newer than its end. Reports that come later are dropped.

-- A shard without records does not hold up the windows for longer than this.
SET 'table.exec.source.idle-timeout' = '60 s';

-- A report without a valid time gets the time 0, because a row without one would stop the application.
CREATE TABLE trucks (
    truck_id STRING,
    `timestamp` STRING,
    speed DOUBLE,
    engine_temp DOUBLE,
    brake_temp DOUBLE,
    health_status STRING,
    reported AS COALESCE(TRY_CAST(`timestamp` AS TIMESTAMP(3)), TIMESTAMP '1970-01-01 00:00:00'),
    WATERMARK FOR reported AS reported - INTERVAL '5' SECOND
) WITH (
    'connector' = 'kinesis',
    'stream.arn' = '${stream_arn}',
    'aws.region' = '${region}',
    'source.init.position' = '${position}',
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
);

CREATE TABLE truck_windows (
    truck_id STRING,
    window_start TIMESTAMP(3),
    window_end TIMESTAMP(3),
    reports BIGINT,
    mean_speed DOUBLE,
    mean_engine_temp DOUBLE,
    max_engine_temp DOUBLE,
    max_brake_temp DOUBLE,
    urgent BIGINT
) WITH (
    'connector' = 'filesystem',
    'path' = '${path}',
    'format' = 'json',
    'json.timestamp-format.standard' = 'SQL',
    'sink.rolling-policy.rollover-interval' = '1 min',
    'sink.rolling-policy.check-interval' = '10 s'
);

INSERT INTO truck_windows
SELECT
    truck_id,
    window_start,
    window_end,
    COUNT(*) AS reports,
    AVG(speed) AS mean_speed,
    AVG(engine_temp) AS mean_engine_temp,
    MAX(engine_temp) AS max_engine_temp,
    MAX(brake_temp) AS max_brake_temp,
    COUNT(*) FILTER (WHERE health_status = 'URGENT') AS urgent
FROM TABLE(TUMBLE(TABLE trucks, DESCRIPTOR(reported), INTERVAL '10' SECOND))
WHERE truck_id IS NOT NULL AND reported > TIMESTAMP '1970-01-01 00:00:00'
GROUP BY truck_id, window_start, window_end;
