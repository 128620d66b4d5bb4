# /// script
# requires-python = ">=3.11"
# dependencies = ["boto3==1.43.117", "botocore==1.43.117", "urllib3==2.8.0"]
# ///
"""The usual handler: base64, json, the rules by hand, and boto3's put_object, one object after the other.

A PUT that fails makes Lambda deliver all of it again.
"""

import os
import uuid

import boto3
from usual import encode

client = boto3.client("s3")


def lambda_handler(event, _context):
    for body in encode(event):
        client.put_object(Bucket=os.environ["BUCKET_NAME"], Key=f"sensor_data/batch_{uuid.uuid4().hex}.json", Body=body)
    return {"batchItemFailures": []}
