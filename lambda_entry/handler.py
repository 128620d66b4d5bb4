"""The Lambda function: store the records of a Kinesis event, and return the first record that is not stored.

Settings, read from the environment at the first call. An empty variable counts as not set:

    BUCKET_NAME          the bucket; or
    STORE_URL            s3://bucket[/folder], file:///directory or memory:///
    PREFIX               the folder of the objects of valid records: sensor_data
    REJECTED_PREFIX      the folder of the objects of rejected records: rejected
    BATCH_SIZE           records of a group: 700, another number, or auto
    LAYOUT               flat or hive
    EVENT_TIME           with hive, the field that contains a record's time; by default folders follow the arrival
    FORMAT               ndjson, json or parquet
    COMPRESSION          gzip, zstd or none: none
    SCHEMA               the rule for valid records: truck, none, or module:name of a msgspec type or a callable
    ENCRYPTION           AES256, aws:kms or aws:kms:dsse; the bucket's default if not set
    KMS_KEY_ID           the key for the last two
    STORAGE_CLASS        the class of the objects in S3, such as INTELLIGENT_TIERING; STANDARD if not set
    MAX_IN_FLIGHT        groups that are stored at the same time: 16
    MAX_BYTES_IN_FLIGHT  the bytes of these groups: 16777216
    ALERT_RULES          rules of alerts: default, or module:name of a text with rules in TOML; no alerts if not set
    ALERT_TOPIC          the ARN of the SNS topic that alerts go to; only the log if not set
    OPENSEARCH_URL       write the records to this OpenSearch, too; it needs opensearch-py, which the zip does not have
    OPENSEARCH_INDEX     the beginning of the names of its indexes: truckstream
    LOG_LEVEL            DEBUG, INFO, WARNING or ERROR: INFO. The line with the metrics is always written
    AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL   as in every S3 client

The event source mapping must have ReportBatchItemFailures: without it Lambda takes a reported failure for success.

To set options that no variable has, write a handler of your own with `truckstream.make_handler`.
"""

from __future__ import annotations

import os
from typing import Final

from lambda_entry.alert_settings import read_alerts
from lambda_entry.settings import read_batcher
from truckstream.lambda_function import make_handler

__all__ = ["lambda_handler"]

lambda_handler: Final = make_handler(lambda: read_batcher(os.environ), alerts_factory=lambda: read_alerts(os.environ))
