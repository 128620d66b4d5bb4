"""Whether an endpoint is a server on this machine."""

import pytest

from truckstream.kinesis.session.local_endpoint import is_on_this_machine


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:4567", "http://127.8.0.1", "https://[::1]:4567/x"),
        *("http://localhost:1", "http://kinesis.localhost", "http://LOCALHOST:4567"),
    ],
)
def test_loopback_names_and_addresses_are_on_this_machine(url):
    assert is_on_this_machine(url)


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", "nonsense", "localhost:4567", "http://[", "http://[::1"),
        *("http://10.0.0.1:4567", "http://example.com", "https://kinesis.us-east-1.amazonaws.com"),
        *("https://localhost.example.com", "http://notlocalhost"),
    ],
)
def test_others_and_malformed_urls_are_not(url):
    assert not is_on_this_machine(url)
