"""Read objects with pandas, over HTTP and as S3 objects, and print what each holds: rows, and the sum of a column.

with_pandas.py ENDPOINT_URL BUCKET KEY...
"""

import json
import sys

import pandas as pd

endpoint_url, bucket, *keys = sys.argv[1:]
s3 = {
    "key": "testing",
    "secret": "testing",
    "client_kwargs": {"endpoint_url": endpoint_url, "region_name": "us-east-1"},
}


def read(location: str, key: str, options: dict[str, object] | None) -> pd.DataFrame:
    if key.endswith(".parquet"):
        return pd.read_parquet(location, storage_options=options)
    return pd.read_json(location, lines="array" not in key, storage_options=options)


for key in keys:
    for location, options in ((f"{endpoint_url}/{bucket}/{key}", None), (f"s3://{bucket}/{key}", s3)):
        frame = read(location, key, options)
        sys.stdout.write(json.dumps([len(frame), int(frame["n"].sum())]) + "\n")
