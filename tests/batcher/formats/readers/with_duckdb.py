"""Read objects with DuckDB over HTTP, and print what each holds: rows, and the sum of a column.

with_duckdb.py ENDPOINT_URL BUCKET KEY...
"""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_extension_httpfs

endpoint_url, bucket, *keys = sys.argv[1:]
(extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
connection = duckdb.connect()
connection.execute(f"LOAD '{extension}'")
for key in keys:
    reader = "read_parquet" if key.endswith(".parquet") else "read_json"
    query = f"SELECT count(*), sum(n)::BIGINT FROM {reader}('{endpoint_url}/{bucket}/{key}')"
    sys.stdout.write(json.dumps(connection.sql(query).fetchall()[0]) + "\n")
