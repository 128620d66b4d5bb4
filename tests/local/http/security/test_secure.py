"""HTTPS and signatures over the wire, with boto3 as the client."""

import asyncio
import ssl
import time
from contextlib import closing
from pathlib import Path

import aiohttp
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError

from truckstream.errors import UsageError
from truckstream.local import Credentials, Fault, FaultPlan, LocalKinesis
from truckstream.local.http.security.certificate import make_certificate

NO_RETRIES = Config(retries={"total_max_attempts": 1}, proxies={})


def client(kinesis, credentials, *, verify=None, region="us-east-1"):
    return boto3.client(
        "kinesis",
        endpoint_url=kinesis.endpoint_url,
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        verify=verify,
        config=NO_RETRIES,
    )


async def put(kinesis, credentials, **options):
    """Put one record with boto3, and return its shard or the code of the error."""

    def call():
        with closing(client(kinesis, credentials, **options)) as boto:
            return boto.put_record(StreamName=kinesis.stream_name, Data=b"x", PartitionKey="k")["ShardId"]

    try:
        return await asyncio.to_thread(call)
    except ClientError as error:
        return error.response["Error"]["Code"]


STORED = "shardId-000000000000"


@pytest.mark.parametrize("own_process", [False, True], ids=["here", "own process"])
async def test_only_its_own_authority_makes_https_trusted(own_process):
    async with LocalKinesis(tls=True, own_process=own_process) as kinesis:
        assert kinesis.endpoint_url.startswith("https://127.0.0.1:")
        assert await put(kinesis, Credentials(), verify=kinesis.ca_file) == STORED
        with pytest.raises(SSLError, match="certificate"):
            await put(kinesis, Credentials())
        assert (await kinesis.stats()).records_in == 1
        ca_file = Path(kinesis.ca_file)
    assert not ca_file.exists()  # noqa: ASYNC240 - a look at a local file


@pytest.mark.parametrize(
    ("kind", "stored"),
    [("reset-before", 0), ("reset-request", 0), ("reset-after", 1), ("reset-answer", 1)],
)
async def test_faults_reset_connections_with_tls_too(kind, stored):
    body = b'{"StreamName":"truck-sensor-stream","Data":"aGVsbG8=","PartitionKey":"a"}'
    headers = {"X-Amz-Target": "Kinesis_20131202.PutRecord", "Content-Type": "application/x-amz-json-1.1"}
    async with LocalKinesis(tls=True, faults=FaultPlan(Fault(kind))) as kinesis, aiohttp.ClientSession() as session:
        trust = ssl.create_default_context(cafile=kinesis.ca_file)
        with pytest.raises(aiohttp.ClientError):
            async with session.post(kinesis.endpoint_url, data=body, headers=headers, ssl=trust) as response:
                await response.read()
        assert len([record async for record in kinesis.stored()]) == stored


def test_a_server_on_all_addresses_has_a_certificate_for_local_names():
    for host in ("0.0.0.0", "::", "127.0.0.2", "kinesis.test"):
        assert "BEGIN CERTIFICATE" in make_certificate(host).ca_pem


def test_without_its_package_tls_raises_an_error_with_the_install_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trustme", None)
    with pytest.raises(UsageError, match=r"trustme: pip install 'truckstream\[local\]'"):
        make_certificate("127.0.0.1")


@pytest.mark.parametrize("own_process", [False, True], ids=["here", "own process"])
async def test_only_signatures_by_known_credentials_pass(own_process):
    role = Credentials("ASIA", "secret", session_token="token", expires_at=time.time() + 3_600)
    gone = Credentials("ASIB", "secret", session_token="token", expires_at=time.time() - 1)
    known = [Credentials(), role, gone]
    async with LocalKinesis(credentials=known, own_process=own_process) as kinesis:
        assert [await put(kinesis, one) for one in known] == [STORED, STORED, "ExpiredTokenException"]
        assert await put(kinesis, Credentials("local", "wrong")) == "InvalidSignatureException"
        assert await put(kinesis, Credentials("nobody")) == "UnrecognizedClientException"
        assert await put(kinesis, Credentials(), region="eu-west-1") == "InvalidSignatureException"
        headers = {"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": "application/x-amz-json-1.1"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(kinesis.endpoint_url, data=b"{}", headers=headers) as response,
        ):
            assert response.status == 400
            assert (await response.json(content_type=None))["__type"] == "MissingAuthenticationTokenException"
        assert (await kinesis.call("ListStreams"))["StreamNames"] == [kinesis.stream_name]
        assert (await kinesis.stats()).records_in == 2


async def test_check_signatures_alone_accepts_the_default_credentials():
    async with LocalKinesis(check_signatures=True) as kinesis:
        assert kinesis.credentials == (Credentials(),)
        assert await put(kinesis, *kinesis.credentials) == STORED
        assert await put(kinesis, Credentials(secret_access_key="wrong")) == "InvalidSignatureException"


@pytest.mark.parametrize("check_signatures", [False, True])
@pytest.mark.parametrize("seconds", [400.0, -400.0])
async def test_a_skewed_service_rejects_signatures_of_botocore(check_signatures, seconds):
    skew = FaultPlan(Fault("skew", seconds=seconds, count=1))
    async with LocalKinesis(faults=skew, check_signatures=check_signatures) as kinesis:
        assert await put(kinesis, Credentials()) == "InvalidSignatureException"
        assert await put(kinesis, Credentials()) == STORED
