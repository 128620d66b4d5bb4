"""The webhook against a server that fails in the ways of servers."""

import asyncio
import contextlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.alerts.support import alert
from tests.threaded_server import serving
from truckstream.alerts.delivery import WebhookTarget
from truckstream.errors import AlertTargetError, InvalidArgumentError

SECRET = "s3cret-token"


class Server(ThreadingHTTPServer):
    """Answers with the statuses of `script` in turn, then with 204, and keeps the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/hook/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        step = self.server.script.pop(0) if self.server.script else 204
        if step == "reset":
            self.close_connection = True
            return
        if step == "hang":
            time.sleep(1)
            step = 204
        self.send_response(step)
        if step in {301, 307}:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def server():
    with serving(Server()) as running:
        yield running


async def send(server, *events, **options):
    async with WebhookTarget(server.url, **options) as target:
        for event in events:
            await target.send([event])


async def test_an_event_is_posted_as_json_with_its_key(server):
    await send(server, alert(1), token=SECRET)
    [(path, headers, body)] = server.requests
    assert path == f"/hook/{SECRET}"
    assert headers["Idempotency-Key"] == alert(1).key
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["Content-Type"] == "application/json"
    assert body == json.loads(alert(1).to_json())


async def test_without_a_token_no_authorization_is_sent(server):
    await send(server, alert(1))
    assert "Authorization" not in server.requests[0][1]


@pytest.mark.parametrize("step", [500, 503, 429, 408, 425, "reset", "hang"])
async def test_a_failure_that_can_pass_is_retryable_and_has_the_same_key_again(server, step):
    server.script = [step]
    async with WebhookTarget(server.url, token=SECRET, timeout=0.3) as target:
        with pytest.raises(AlertTargetError) as failure:
            await target.send([alert(1)])
        assert failure.value.retryable
        assert SECRET not in str(failure.value)
        await target.send([alert(1)])
    assert {headers["Idempotency-Key"] for _, headers, _ in server.requests} == {alert(1).key}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 301, 307])
async def test_another_status_is_final_and_a_redirect_is_not_followed(server, status):
    server.script = [status]
    with pytest.raises(AlertTargetError) as failure:
        await send(server, alert(1), token=SECRET)
    assert not failure.value.retryable
    assert str(failure.value) == f"HTTP {status}"
    assert [path for path, _, _ in server.requests] == [f"/hook/{SECRET}"]


async def test_a_server_that_is_not_there_is_a_failure_that_can_pass():
    server = Server()
    server.server_close()
    with pytest.raises(AlertTargetError) as failure:
        await send(server, alert(1), token=SECRET)
    assert failure.value.retryable
    assert SECRET not in str(failure.value)


async def test_a_cancelled_request_ends_at_once(server):
    server.script = ["hang"]
    task = asyncio.create_task(send(server, alert(1)))
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


@pytest.mark.parametrize(
    "url",
    ["https://example.com/x", "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/x"],
)
def test_https_and_this_machine_are_allowed(url):
    assert "/x" not in WebhookTarget(url).name


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.com/s3cret-token",
            "http://10.0.0.1/s3cret-token",
            "http://127.0.0.1.example.com/s3cret-token",
        ),
        *("https://user:s3cret-token@example.com/", "ftp://example.com/s3cret-token", "s3cret-token", "", "https://"),
        *("http://[s3cret-token", "https://example.com:99999/s3cret-token"),
    ],
)
def test_other_urls_are_refused_without_naming_them(url):
    with pytest.raises(InvalidArgumentError) as failure:
        WebhookTarget(url)
    assert SECRET not in str(failure.value)


def test_a_plain_url_of_another_machine_can_be_allowed():
    assert WebhookTarget("http://10.0.0.1/x", allow_http=True).name == "webhook 10.0.0.1"


@pytest.mark.parametrize("token", ["", "a\nb", "ü", "a\r\nX-Header: 1"])
def test_a_token_must_be_one_line_of_ascii(token):
    with pytest.raises(InvalidArgumentError, match="must be printable ASCII") as failure:
        WebhookTarget("https://example.com/", token=token)
    assert not token or token not in str(failure.value)
