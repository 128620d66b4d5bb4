"""Who may see the page: names, origins and the token."""

import pytest

from truckstream.dashboard.serving.access import CONTENT_SECURITY_POLICY, Access, is_loopback

TOKEN = "a-token-that-nobody-guesses"


def refused(access, *, cookie=None, query=None, **headers):
    """The status with which a request is refused; None if it is allowed."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = access.refusal({"Host": "127.0.0.1:8421"} | named, cookie, query)
    return None if refusal is None else int(refusal[0])


@pytest.mark.parametrize("host", ["127.0.0.1:8421", "localhost:8421", "[::1]:8421", "dash.localhost"])
def test_this_machine_may_see_the_page(host):
    assert refused(Access("127.0.0.1", None), Host=host) is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8421", "", "localhost@evil"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(host):
    assert refused(Access("127.0.0.1", None), Host=host) == 403


def test_another_name_can_be_allowed():
    assert refused(Access("127.0.0.1", None, ["fleet.example"]), Host="fleet.example:8421") is None


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8421", None),
        ("http://127.0.0.1:9999", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
def test_only_the_page_itself_may_send_requests_from_a_browser(origin, status):
    assert refused(Access("127.0.0.1", None), Origin=origin) == status


def test_without_the_token_nothing_is_served():
    access = Access("192.168.1.5", TOKEN)
    assert refused(access, Host="192.168.1.5:8421") == 401
    assert refused(access, Host="192.168.1.5:8421", query="guess", cookie="", Authorization="Bearer ") == 401


@pytest.mark.parametrize(
    "token",
    [{"cookie": TOKEN}, {"query": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}],
    ids=lambda each: next(iter(each)),
)
def test_the_token_may_be_in_a_cookie_the_address_or_a_header(token):
    assert refused(Access("0.0.0.0", TOKEN), Host="192.168.1.5:8421", **token) is None


def test_the_token_does_not_excuse_a_wrong_host():
    assert refused(Access("192.168.1.5", TOKEN), Host="evil.example", cookie=TOKEN) == 403


def test_a_token_of_any_text_is_compared():
    access = Access("0.0.0.0", TOKEN)
    assert not access.is_token("schlüssel 🔑")
    assert not access.is_token(None)
    assert not Access("127.0.0.1", None).is_token("")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("fleet.example", False),
    ],
)
def test_a_server_for_this_machine_alone_is_recognised(host, expected):
    assert is_loopback(host) is expected


def test_the_policy_allows_no_script_in_the_page_and_no_evaluation():
    assert "'unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
