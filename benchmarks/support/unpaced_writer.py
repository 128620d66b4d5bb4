"""A program that writes to a stream as many do: a loop around put_records that sends what was throttled again at once.

python unpaced_writer.py ENDPOINT_URL STREAM
"""

import sys

import botocore.session
from botocore.config import Config

endpoint_url, stream = sys.argv[1:]
client = botocore.session.get_session().create_client(
    "kinesis", region_name="us-east-1", endpoint_url=endpoint_url, config=Config(retries={"total_max_attempts": 1})
)
records = [{"Data": b"x" * 498, "PartitionKey": f"OTHER_{number:03}"} for number in range(500)]
while True:
    client.put_records(StreamName=stream, Records=records)
