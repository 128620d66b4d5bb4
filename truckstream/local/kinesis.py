"""`LocalKinesis`: a Kinesis with its quotas for as long as a context is open."""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec

from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.local.child_process import Child, start_child
from truckstream.local.faults.fault import Fault, FaultPlan
from truckstream.local.http.control import CALL_PATH, FAULTS_PATH, STATS_PATH, STORED_PATH
from truckstream.local.kinesis_stats import KinesisStats, read_stats
from truckstream.local.options import Options
from truckstream.local.protocol.signature import Credentials
from truckstream.local.server import ACCOUNT_ID, REGION_NAME, Server
from truckstream.local.service.errors import RefusedError
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES
from truckstream.local.service.validation.parsing import read_request
from truckstream.local.service.validation.shapes import REQUESTS
from truckstream.local.stored_records import StoredPage, StoredRecord, read_stored
from truckstream.local.virtual_clock import VirtualClock, wall_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from truckstream.local.service import Service

__all__ = ["LocalKinesis"]


class LocalKinesis:
    """A local Kinesis Data Streams endpoint with one stream, ACTIVE from the start.

        async with LocalKinesis(shards=2) as kinesis:
            ...  # point any AWS client at kinesis.endpoint_url; any credentials do

    It speaks the service's protocols, JSON and CBOR, so that clients create more streams in it as they do on AWS.
    Nothing is kept when the context ends.

    Args:
        stream: the stream's name.
        shards: how many, 1 to 20,000.
        quotas: whether each shard enforces 1,000 records/s and 1 MiB/s of writes, and 5 calls/s and 2 MiB/s of reads,
            and whether each other operation may only be called as often as the service allows. A number multiplies all
            these rates: with 0.1, everything is ten times slower than the service's.
        max_bytes: what all records together may take in memory, at least 16 MiB; 2 GiB by default, None sets no cap.
            Beyond it the oldest records go, whatever their retention period; `stats` counts them (`records_trimmed`).
        faults: what goes wrong, and how often; see `Fault` and `FaultPlan`.
        own_process: serve from a child process, so that its work is not measured with yours. It has a session of its
            own (Ctrl-C in the terminal does not reach it) and ends when this process does, however that happens.
        host: the address to listen on; by default only this machine can connect.
        port: 0 takes a free one.
        transition_seconds: how long a stream is CREATING, UPDATING or DELETING after such a call. 0, the default,
            makes every change complete when it is answered.
        tls: serve HTTPS, with a certificate made for the occasion; clients must trust `ca_file`.
        check_signatures: refuse requests whose signature is missing, wrong or over five minutes old. Signatures are
            looked at by this machine's time, whatever `clock` says.
        credentials: what requests may be signed with, which checks signatures too. By default `Credentials()`.
        clock: gives the time in seconds since the epoch, such as a `VirtualClock`; not with `own_process`.

    Raises:
        InvalidArgumentError: an argument is out of its range.
        TruckstreamError: on entering: the port is taken, or the child process failed to start; the message says why.
    """

    def __init__(
        self,
        stream: str = "truck-sensor-stream",
        shards: int = 1,
        *,
        quotas: bool | float = True,
        max_bytes: int | None = DEFAULT_BYTES,
        faults: FaultPlan | None = None,
        own_process: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        transition_seconds: float = 0.0,
        tls: bool = False,
        check_signatures: bool = False,
        credentials: Sequence[Credentials] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        if own_process and clock is not None:
            raise InvalidArgumentError("clock", clock, "a clock cannot be handed to another process")
        plan = faults or FaultPlan()
        self._options = Options(
            stream=stream,
            shards=shards,
            quotas=quotas,
            max_bytes=max_bytes,
            faults=plan.faults,
            seed=plan.seed,
            host=host,
            port=port,
            transition_seconds=transition_seconds,
            tls=tls,
            credentials=tuple(credentials) or ((Credentials(),) if check_signatures else ()),
        )
        self._own_process = own_process
        #: The stream that is there from the start.
        self.stream_name = stream
        self.stream_arn = f"arn:aws:kinesis:{REGION_NAME}:{ACCOUNT_ID}:stream/{stream}"
        self.region_name = REGION_NAME
        self.account_id = ACCOUNT_ID
        #: What clients may sign with; any credentials do when it is empty.
        self.credentials = self._options.credentials
        #: What goes wrong from the start.
        self.faults = plan
        #: Where clients connect; empty until the context is entered.
        self.endpoint_url = ""
        #: With `tls`, the file with the certificate authority that clients must trust; empty otherwise.
        self.ca_file = ""
        self._clock = clock or wall_clock()
        self._open: AsyncExitStack | None = None
        # One of the two serves: this process, or the child.
        self._server: Server | None = None
        self._child: Child | None = None

    def __repr__(self) -> str:
        where = self.endpoint_url or "not open"
        return f"<LocalKinesis {self.stream_name}, {self._options.shards} shards at the start, {where}>"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._own_process:
                self._child = await start_child(self._options)
                stack.push_async_callback(self._child.stop)
                self.endpoint_url, ca_pem = self._child.endpoint_url, self._child.ca_pem
            else:
                self._server = Server(self._options, self._clock)
                self.endpoint_url, ca_pem = await self._server.open(), self._server.ca_pem
                stack.push_async_callback(self._server.close)
            if ca_pem:
                folder = stack.enter_context(TemporaryDirectory(prefix="truckstream-"))
                self.ca_file = _write(Path(folder) / "ca.pem", ca_pem)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.aclose()

    @property
    def service(self) -> Service:
        """The service itself, for what runs beside it in this process.

        Raises:
            UsageError: it is not open, or runs in another process.
        """
        if self._server is None:
            raise UsageError("this LocalKinesis is not open in this process; enter it without own_process=True")
        return self._server.service

    def now(self) -> float:
        """The service's time, in seconds since the epoch."""
        return self._clock()

    def environment(self) -> dict[str, str]:
        """The variables that point any AWS client of a process at this Kinesis.

        As in `subprocess.run(..., env=os.environ | kinesis.environment())`.
        """
        keys = self.credentials[0] if self.credentials else Credentials()
        variables = {
            "AWS_ENDPOINT_URL_KINESIS": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": keys.session_token or "",
            "AWS_DEFAULT_REGION": self.region_name,
            "AWS_REGION": self.region_name,
            "AWS_CA_BUNDLE": self.ca_file,
        }
        return {name: value for name, value in variables.items() if value}

    def advance(self, seconds: float) -> None:
        """Move the service's time on, where it is a `VirtualClock`'s.

        Raises:
            UsageError: it is another clock's.
            InvalidArgumentError: `seconds` is negative.
        """
        if not isinstance(self._clock, VirtualClock):
            raise UsageError("this LocalKinesis lives by real time; give it clock=VirtualClock()")
        self._clock.advance(seconds)

    async def stats(self) -> KinesisStats:
        """What the stream's shards and the faults did so far."""
        if self._server is not None:
            return read_stats(self.service, self.stream_name, self.now(), self._server.injector.hits())
        return msgspec.json.decode(await self._ask("GET", STATS_PATH), type=KinesisStats)

    async def inject(self, *faults: Fault) -> None:
        """Add faults; their windows (`after`, `until`) count from now."""
        if self._server is not None:
            for fault in faults:
                self._server.injector.inject(fault, self.now())
        else:
            await self._ask("POST", FAULTS_PATH, msgspec.json.encode(faults))

    async def clear_faults(self) -> None:
        """Remove all faults, the plan's too. How often they struck stays in `stats`."""
        if self._server is not None:
            self._server.injector.clear()
        else:
            await self._ask("DELETE", FAULTS_PATH)

    async def stored(self, stream: str | None = None) -> AsyncIterator[StoredRecord]:
        """Every record that is stored, for tests that judge a client: shard by shard, in the order of writing.

        It needs no iterators, meets no quota and no fault, and is not counted as read.

        Args:
            stream: its name; by default `stream_name`.

        Raises:
            RefusedError: there is no such stream.
        """
        stream = stream or self.stream_name
        shard_id, place = "", 0
        while True:
            if self._child is None:
                page = read_stored(self.service, stream, shard_id, place, self.now())
            else:
                query = {"stream": stream, "shard": shard_id, "place": str(place)}
                page = msgspec.msgpack.decode(await self._ask("GET", STORED_PATH, query=query), type=StoredPage)
            for record in page.records:
                yield record
            shard_id, place = page.next_shard_id, page.next_place
            if not shard_id:
                return

    async def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Do one operation of the API: `await kinesis.call("SplitShard", StreamName=..., ...)`. No fault strikes it.

        Blobs go in as bytes. They come back as bytes from this process, and as base64 text from another one.

        Raises:
            RefusedError: the service's refusal, with its code and message.
            UsageError: it is SubscribeToShard, whose answer only a client can follow.
        """
        if operation == "SubscribeToShard":
            raise UsageError("SubscribeToShard needs a client: its answer goes on for five minutes")
        if self._child is None:
            request = read_request(operation, members) if operation in REQUESTS else members
            return self.service.call(operation, request, self.now()) or {}
        body = await self._ask("POST", CALL_PATH, msgspec.json.encode(members), {"operation": operation})
        document: dict[str, Any] = msgspec.json.decode(body) if body else {}
        return document

    async def _ask(self, method: str, path: str, body: bytes = b"", query: dict[str, str] | None = None) -> bytes:
        """Ask the other process; the body of its answer."""
        if self._child is None:
            raise UsageError("this LocalKinesis is not open")
        tls = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.endpoint_url}{path}", params=query, data=body, ssl=tls) as answer,
        ):
            said = await answer.read()
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            document = msgspec.json.decode(said) if said else {}
            raise RefusedError(document.get("__type", str(answer.status)), document.get("message", ""))
        return said


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="ascii")
    return str(path)
