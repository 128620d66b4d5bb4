"""A session of the real aioboto3. `.ci/aioboto3` runs this with aioboto3 and the aiobotocore that it pins."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import aioboto3

from truckstream import Consumer, Producer
from truckstream.local import LocalKinesis

if TYPE_CHECKING:
    import pytest


def test_these_are_the_versions_that_aioboto3_pins() -> None:
    assert version("aiobotocore").startswith("2.25.")


async def test_a_producer_and_a_consumer_sign_with_the_keys_of_an_aioboto3_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with LocalKinesis(stream="s", check_signatures=True) as kinesis:
        keys = kinesis.credentials[0]
        session = aioboto3.Session(
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            region_name=kinesis.region_name,
        )
        async with Producer("s", endpoint_url=kinesis.endpoint_url, session=session) as producer:
            assert await (await producer.put(b"x", "k"))
        async with Consumer("s", endpoint_url=kinesis.endpoint_url, session=session, start="TRIM_HORIZON") as consumer:
            async for batch in consumer:
                assert [record.data for record in batch.records] == [b"x"]
                break
