"""Other programs read stored objects from S3, compressed ones too: each decompresses them once."""

import gzip
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import aiohttp
import boto3
import pytest

from tests.batcher.support import Small, numbers
from tests.external_clients.installation import CannotInstallError, or_skipped, python_with, tool
from tests.external_clients.python_clients import AIOBOTOCORE
from truckstream.batcher import Batcher

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PROGRAMS = Path(__file__).parent / "readers"

#: The folders of the objects, named after their formats.
FORMATS = {
    "ndjson": ("ndjson", None),
    "ndjson-gzip": ("ndjson", "gzip"),
    "ndjson-zstd": ("ndjson", "zstd"),
    "array": ("json", None),
    "array-gzip": ("json", "gzip"),
    "array-zstd": ("json", "zstd"),
    "parquet": ("parquet", None),
}

BUCKET = "readers"

#: The records of each object have the numbers 0 to 699.
ROWS, SUM = 700, sum(range(700))

PANDAS = (
    "pandas==3.1.1",
    "fsspec==2026.9.0",
    "numpy==2.4.6",
    "pyarrow==26.0.1",
    "s3fs==2026.9.0",
    "zstandard==0.25.0",
    *AIOBOTOCORE,
)
DUCKDB = ("duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5")
SPARK = ("pyspark==4.3.0", "py4j==0.10.9.9")


@pytest.fixture
async def stored(moto_url, fake_credentials):  # noqa: ARG001 - the batcher finds them in the environment
    """An object of each format in a bucket that anybody may read: the keys by folder."""
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET, ACL="public-read")
    keys = {}
    for folder, (name, compression) in FORMATS.items():
        batcher = Batcher(
            f"s3://{BUCKET}/{folder}",
            schema=Small,
            format=name,
            compression=compression,
            endpoint_url=moto_url,
            region_name="us-east-1",
        )
        (receipt,) = (await batcher.process(numbers(ROWS))).objects
        keys[folder] = f"{folder}/{receipt.key}"
        s3.put_object_acl(Bucket=BUCKET, Key=keys[folder], ACL="public-read")
    return keys


def content(folder, body):
    """Return the lines in an object's bytes, decompressed once, as its key demands."""
    unpack = {"gzip": gzip.decompress, "zstd": zstd.decompress}.get(folder.partition("-")[2], bytes)
    text = unpack(body)
    return json.loads(text) if folder.startswith("array") else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("accepted", ["identity", "gzip, deflate, br, zstd"])
async def test_an_http_client_that_honours_content_encoding_leaves_the_file_as_it_is(stored, moto_url, accepted):
    """So does a browser. The bytes under a name that ends with .gz are gzip, once."""
    async with aiohttp.ClientSession(headers={"Accept-Encoding": accepted}) as session:
        for folder, key in stored.items():
            async with session.get(f"{moto_url}/{BUCKET}/{key}") as response:
                assert response.status == 200
                body = await response.read()
            if folder != "parquet":
                assert [row["n"] for row in content(folder, body)] == list(range(ROWS))


def test_urllib_and_boto3_receive_the_same_bytes(stored, moto_url):
    s3 = boto3.client("s3", endpoint_url=moto_url, region_name="us-east-1")
    for key in stored.values():
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert "ContentEncoding" not in found
        with urllib.request.urlopen(f"{moto_url}/{BUCKET}/{key}") as response:
            assert response.read() == found["Body"].read()


def read_with(program, python, *arguments):
    """Run a reader's program; return what it printed for each object."""
    command = [python, PROGRAMS / f"with_{program}.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


@pytest.mark.external
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("program", "requirements"), [("pandas", PANDAS), ("duckdb", DUCKDB)])
def test_a_reader_reads_every_format_over_the_network(stored, moto_url, program, requirements):
    with or_skipped(program):
        python = python_with(*requirements)
    rows = read_with(program, python, moto_url, BUCKET, *stored.values())
    assert rows == [[ROWS, SUM]] * len(rows)
    assert len(rows) in {len(stored), 2 * len(stored)}


@pytest.mark.external
@pytest.mark.timeout(400)
async def test_spark_reads_every_format_but_zstd(tmp_path):
    """It is skipped, also on CI, where it cannot be installed in time: the package has 450 MB."""
    try:
        tool("java")
        python = python_with(*SPARK)
    except CannotInstallError as error:
        pytest.skip(f"Spark cannot be run: {error}")
    files = []
    for folder, (name, compression) in FORMATS.items():
        if compression != "zstd":
            batcher = Batcher((tmp_path / folder).as_uri(), schema=Small, format=name, compression=compression)
            (receipt,) = (await batcher.process(numbers(ROWS))).objects
            files.append(tmp_path / folder / receipt.key)
    assert read_with("spark", python, *files) == [[ROWS, SUM]] * 5
