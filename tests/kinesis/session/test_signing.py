"""Signatures, compared with those of botocore's generic signer."""

import datetime as dt
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from truckstream.kinesis.session.signing import Keys, Signer

header_values = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=1).map(str.strip)
header_names = st.sampled_from(["x-a", "x-zebra", "x-amz-target", "content-type", "accept"])
secrets = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1)


def signed_by_botocore(body, keys, now, *, path, region, service, headers):
    """Return the headers that botocore adds to the same request at the same time."""
    request = AWSRequest("POST", f"https://kinesis.example{path}", dict(headers), body)
    time = dt.datetime.fromtimestamp(now, dt.UTC)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=time):
        botocore.auth.SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), service, region).add_auth(
            request
        )
    return {name: value for name, value in request.headers.items() if name not in headers}


@given(
    body=st.binary(min_size=1, max_size=200),
    keys=st.builds(Keys, secrets, secrets, st.none() | secrets),
    now=st.integers(0, 4_000_000_000),
    path=st.sampled_from(["", "/", "/a b/c", "/ü"]),
    region=st.sampled_from(["us-east-1", "cn-north-1"]),
    headers=st.dictionaries(header_names, header_values, max_size=3),
)
def test_a_signature_equals_botocores(body, keys, now, path, region, headers):
    signer = Signer(region=region, service="kinesis", path=path, headers={"host": "kinesis.example", **headers})
    assert signer.sign(body, keys, now) == signed_by_botocore(
        body, keys, now, path=path, region=region, service="kinesis", headers=headers
    )


def test_a_signer_works_across_days_and_keys():
    """The derived key is kept for a day and a secret, and for nothing else."""
    signer = Signer(region="us-east-1", service="kinesis", path="/", headers={"host": "kinesis.example"})
    for keys in (Keys("a", "one"), Keys("a", "two"), Keys("a", "one")):
        for now in (86_399, 86_400, 86_399):
            assert signer.sign(b"x", keys, now) == signed_by_botocore(
                b"x", keys, now, path="/", region="us-east-1", service="kinesis", headers={}
            )


def test_the_repr_of_keys_hides_their_secrets():
    assert repr(Keys("AKID", "secret", "token")) == "Keys(access_key='AKID')"
