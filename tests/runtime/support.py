"""Lambda's own runtime around the function's zip: a Runtime API server, and a bucket that rejects or delays requests.

AWS runs python3.x functions with the runtime awslambdaric. It asks the server for the next event over HTTP and posts
the response back. It runs here as on AWS: in its own process, which can import the modules of the zip, of the runtime
and of the standard library only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

from tests.loop_server import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The time limit in seconds of steps that take one second on an idle machine.
PATIENCE = 120

HANDLER = "lambda_entry.handler.lambda_handler"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:truckstream"


@dataclass(frozen=True)
class InvocationOutcome:
    """The runtime's answer to an event: a response, or an error with its type and message."""

    response: object = None
    error: dict[str, Any] | None = None


class Runtime:
    """One execution environment of the function, and the Runtime API that hands it events."""

    def __init__(self, task: Path, modules: Path, environment: dict[str, str | None]) -> None:
        """Take variables of the function; None removes one that Lambda sets."""
        self.task = task
        self.modules = modules
        self.environment = environment
        self.log = []
        self.init_error = None
        self._events = []
        self._asking = None
        self._answers = {}
        self._count = 0

    async def __aenter__(self) -> Self:
        api = web.Application(client_max_size=16 * 1024 * 1024)
        api.router.add_get("/2018-06-01/runtime/invocation/next", self._next)
        api.router.add_post("/2018-06-01/runtime/invocation/{id}/{kind}", self._answered)
        api.router.add_post("/2018-06-01/runtime/init/error", self._failed_to_start)
        self._runner, self._address = await serve(api)
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self._runner.cleanup()

    async def start(self) -> None:
        """Start a new process: a cold start."""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-P", "-W", "error", "-m", "awslambdaric", HANDLER),
            env=self._variables(),
            cwd=self.task,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read_log(self.process.stdout))

    def _variables(self) -> dict[str, str]:
        variables = {
            "PYTHONPATH": f"{self.task}:{self.modules}",
            "LAMBDA_TASK_ROOT": str(self.task),
            "AWS_LAMBDA_RUNTIME_API": self._address,
            "AWS_LAMBDA_FUNCTION_NAME": "truckstream",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            **self.environment,
        }
        return {name: value for name, value in variables.items() if value is not None}

    async def kill(self) -> None:
        """Kill the process, as Lambda does after an invocation that timed out."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        self._wake()  # end the waiting request, so that it takes no event of the next process
        await self._reader

    def freeze(self) -> None:
        """Stop the process, as Lambda does between invocations."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def invoke(self, records: Sequence[Any], *, seconds: float = 300.0) -> InvocationOutcome:
        """Invoke the function with an event of Kinesis records, and return its answer."""
        return await self.answer(self.submit({"Records": records}, seconds))

    async def answer(self, submitted: asyncio.Future[InvocationOutcome]) -> InvocationOutcome:
        """Wait for the answer to a submitted event; fail the test with the log if the process exits without one."""
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({submitted, ended}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        assert submitted.done(), f"no answer; status {self.process.returncode}, log {self.log}"
        return submitted.result()

    def submit(self, event: Any, seconds: float = 300.0) -> asyncio.Future[InvocationOutcome]:
        """Queue an event; return the Future of its answer."""
        self._count += 1
        request_id = f"request-{self._count:04}"
        self._answers[request_id] = asyncio.get_running_loop().create_future()
        self._events.append((request_id, json.dumps(event).encode(), seconds))
        self._wake()
        return self._answers[request_id]

    def _wake(self) -> None:
        if self._asking and not self._asking.done():
            self._asking.set_result(None)

    def peak_memory(self) -> int:
        """Return the peak resident memory of the process in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    async def _next(self, _: web.Request) -> web.Response:
        if not self._events:
            self._asking = asyncio.get_running_loop().create_future()
            await self._asking
        if self.process.returncode is not None:
            return web.Response(status=410)
        request_id, body, seconds = self._events.pop(0)
        deadline = int((time.time() + seconds) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        }
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def _answered(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        answer = (
            InvocationOutcome(response=body)
            if request.match_info["kind"] == "response"
            else InvocationOutcome(error=body)
        )
        self._answers.pop(request.match_info["id"]).set_result(answer)
        return web.Response(status=202)

    async def _failed_to_start(self, request: web.Request) -> web.Response:
        self.init_error = json.loads(await request.read())
        for future in self._answers.values():
            future.set_result(InvocationOutcome(error=self.init_error))
        self._answers.clear()
        return web.Response(status=202)

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.log.append(line.decode(errors="replace").rstrip("\n"))


class Bucket:
    """An S3 in memory with the operations that the function uses, conditional creation included."""

    def __init__(self) -> None:
        self.objects = {}
        #: Called with the key of each PUT; returns an HTTP status to refuse it with, or None.
        self.refuse = lambda _key: None
        #: PUTs wait for this event.
        self.open = asyncio.Event()
        self.open.set()
        #: Set when the first PUT arrives.
        self.reached = asyncio.Event()
        self.puts = 0
        #: (method, path, headers) of each request.
        self.requests = []
        self._transports = set()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{bucket}/{key:.+}", self._serve)
        self._runner, address = await serve(app)
        self.endpoint_url = f"http://{address}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open.set()
        await self._runner.cleanup()

    def hang_up(self) -> None:
        """Close every connection, as S3 closes idle ones."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    async def _serve(self, request: web.Request) -> web.Response:
        self._transports.add(request.transport)
        self.requests.append((request.method, request.path, dict(request.headers)))
        key = request.match_info["key"]
        if request.method == "PUT":
            return await self._put(request, key)
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        body, metadata = self.objects[key]
        headers = {"ETag": _etag(body), "Last-Modified": format_datetime(datetime.now(UTC), usegmt=True), **metadata}
        return web.Response(body=body, headers=headers)

    async def _put(self, request: web.Request, key: str) -> web.Response:
        self.puts += 1
        body = await request.read()
        self.reached.set()
        await self.open.wait()
        if status := self.refuse(key):
            return _error(status, "SlowDown" if status == 503 else "AccessDenied")
        if request.headers.get("If-None-Match") == "*" and key in self.objects:
            return _error(412, "PreconditionFailed")
        metadata = {name: value for name, value in request.headers.items() if name.lower().startswith("x-amz-meta-")}
        self.objects[key] = (body, metadata)
        return web.Response(headers={"ETag": _etag(body)})


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _error(status: int, code: str) -> web.Response:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")
