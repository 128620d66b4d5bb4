# /// script
# requires-python = ">=3.11"
# dependencies = ["boto3==1.43.117", "botocore==1.43.117", "urllib3==2.8.0"]
# ///
"""A hand-written handler with boto3: it puts one object after the other.

If a PUT fails, Lambda delivers the whole event again.
"""

import os
import uuid

import boto3
from hand_written import encode

client = boto3.client("s3")


def lambda_handler(event, _context):
    for body in encode(event):
        client.put_object(Bucket=os.environ["BUCKET_NAME"], Key=f"sensor_data/batch_{uuid.uuid4().hex}.json", Body=body)
    return {"batchItemFailures": []}
