"""The client against the local Kinesis, which shares no code with it: signatures, TLS, clocks, session tokens."""

import pytest
from aiobotocore.session import get_session
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.session.signing import Keys, Signer
from truckstream.local import LocalKinesis
from truckstream.local.faults import Fault, FaultPlan
from truckstream.local.protocol.signature import Credentials, SignatureCheck, SignedRequest
from truckstream.producer import Producer

KNOWN = Credentials(access_key_id="AKID", secret_access_key="secret", session_token="token")


@given(st.binary(max_size=50), st.integers(0, 4_000_000_000), st.text("abc ", min_size=1, max_size=9).map(str.strip))
def test_the_local_kinesis_accepts_every_signature(body, now, target):
    headers = {"host": "kinesis.example:8000", "x-amz-target": target}
    signer = Signer(region="us-east-1", service="kinesis", path="/", headers=headers)
    signature = signer.sign(body, Keys("AKID", "secret", "token"), now)
    received = headers | {name.lower(): value for name, value in signature.items()}
    SignatureCheck((KNOWN,), "us-east-1").check(SignedRequest("POST", "/", "", received, body), now)


@pytest.mark.usefixtures("fake_credentials")
async def test_a_producer_with_tls_signatures_a_skewed_clock_and_expired_tokens(monkeypatch):
    """Each problem is corrected within the request that meets it: no record is throttled, ambiguous or lost."""
    faults = FaultPlan(Fault("skew", seconds=-3_600), Fault("expired-token", count=1, operations=("PutRecords",)))
    session = get_session()
    session.set_credentials("AKID", "secret", "token")
    async with LocalKinesis(check_signatures=True, credentials=[KNOWN], tls=True, faults=faults) as kinesis:
        monkeypatch.setenv("AWS_CA_BUNDLE", kinesis.ca_file)
        async with Producer(
            kinesis.stream_arn, endpoint_url=kinesis.endpoint_url, session=session, linger=0.0
        ) as producer:
            deliveries = [await producer.put(b"%d" % number, f"KEY_{number}") for number in range(500)]
    assert not any(delivery.result().maybe_duplicate for delivery in deliveries)
    assert producer.stats.acked == 500
