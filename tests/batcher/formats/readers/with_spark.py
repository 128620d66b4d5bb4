"""Read files with Spark, and print what each holds: rows, and the sum of a column.

    with_spark.py FILE...

The package contains no S3 client. Hadoop's client picks the decompressor by the suffix as well.
"""

import json
import sys

from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
for file in sys.argv[1:]:
    frame = spark.read.parquet(file) if file.endswith(".parquet") else spark.read.json(file, multiLine="array" in file)
    sys.stdout.write(json.dumps([frame.count(), frame.agg({"n": "sum"}).first()[0]]) + "\n")
spark.stop()
