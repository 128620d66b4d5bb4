"""`LocalKinesis`: a local Kinesis that runs while its context is open."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.local.child_process import start_child
from truckstream.local.faults.fault import FaultPlan
from truckstream.local.faulty_service import FaultyService
from truckstream.local.http.control_client import ControlClient
from truckstream.local.http.endpoint import Endpoint
from truckstream.local.options import ACCOUNT_ID, REGION_NAME, Options
from truckstream.local.protocol.signature import Credentials
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES
from truckstream.local.virtual_clock import VirtualClock, wall_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from truckstream.local.child_process import ChildProcess
    from truckstream.local.faults.fault import Fault
    from truckstream.local.kinesis_stats import KinesisStats
    from truckstream.local.service import Service
    from truckstream.local.stored_records import StoredRecord

__all__ = ["LocalKinesis"]


class LocalKinesis:
    """A local Kinesis Data Streams endpoint with one stream, ACTIVE from the start.

        async with LocalKinesis(shards=2) as kinesis:
            ...  # point any AWS client at kinesis.endpoint_url, with any credentials

    It understands the service's protocols, JSON and CBOR, so that clients create more streams as they do on AWS.
    Nothing is kept when the context ends.

    Args:
        stream: the stream's name.
        shards: its number of shards, 1 to 20,000.
        quotas: whether to enforce the quotas of each shard (1,000 records/s and 1 MiB/s of writes, 5 calls/s and
            2 MiB/s of reads) and the rates of the other operations. A number multiplies all of them: with 0.1,
            everything is ten times slower than the service.
        max_bytes: memory for all records, at least 16 MiB; 2 GiB by default, None for no limit. When it is full, the
            oldest records are removed before their retention ends; `stats` counts them (`records_trimmed`).
        faults: the faults to inject; see `Fault` and `FaultPlan`.
        own_process: serve from a child process, so that measurements of this process do not include the server. It has
            a session of its own (Ctrl-C in the terminal does not reach it) and ends when this process ends.
        host: the address to listen on; by default only this machine can connect.
        port: the port to listen on; 0 takes a free one.
        allowed_hosts: further names that clients may call it by (the `Host` header), such as the service's name in a
            docker-compose file, and hosts whose pages may call it from a browser (`Origin`). Loopback names and
            addresses and `host` are always allowed; all others are refused, so that no web page can use it.
        transition_seconds: how long a stream stays CREATING, UPDATING or DELETING after such a call. With 0, the
            default, every change is complete when the call returns.
        tls: serve HTTPS, with a certificate made for this context; clients must trust `ca_file`.
        check_signatures: reject requests whose signature is missing, wrong or over five minutes old. Signatures are
            checked by this machine's time and not by `clock`.
        credentials: the credentials that may sign requests, `Credentials()` by default. If given, signatures are
            checked.
        clock: returns the time in seconds since the epoch, such as a `VirtualClock`; not with `own_process`.

    Raises:
        InvalidArgumentError: an argument is out of its range.
        TruckstreamError: on entering: the port is taken, or the child process did not start; the message has the
            reason.
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
        allowed_hosts: Sequence[str] = (),
        transition_seconds: float = 0.0,
        tls: bool = False,
        check_signatures: bool = False,
        credentials: Sequence[Credentials] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        if own_process and clock is not None:
            raise InvalidArgumentError("clock", clock, "cannot be used by another process")
        if isinstance(allowed_hosts, str):
            raise InvalidArgumentError("allowed_hosts", allowed_hosts, "must be a list of names")
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
            allowed_hosts=tuple(allowed_hosts),
            transition_seconds=transition_seconds,
            tls=tls,
            credentials=tuple(credentials) or ((Credentials(),) if check_signatures else ()),
        )
        self._own_process = own_process
        #: The stream that exists from the start.
        self.stream_name = stream
        self.stream_arn = self._options.stream_arn
        self.region_name = REGION_NAME
        self.account_id = ACCOUNT_ID
        #: The credentials that may sign requests; empty if any may.
        self.credentials = self._options.credentials
        #: The faults from the start.
        self.faults = plan
        #: The URL for clients; empty until the context is entered.
        self.endpoint_url = ""
        #: With `tls`, the file with the certificate authority that clients must trust; empty otherwise.
        self.ca_file = ""
        self._clock = clock or wall_clock()
        self._open: AsyncExitStack | None = None
        self._child: ChildProcess | None = None
        self._running: FaultyService | ControlClient | None = None

    def __repr__(self) -> str:
        where = self.endpoint_url or "not open"
        return f"<LocalKinesis {self.stream_name}, {self._options.shards} shards at the start, {where}>"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            ca_pem = await (self._start_child(stack) if self._own_process else self._start_here(stack))
            if ca_pem:
                folder = stack.enter_context(TemporaryDirectory(prefix="truckstream-"))
                self.ca_file = _write(Path(folder) / "ca.pem", ca_pem)
            self._open = stack.pop_all()
        return self

    async def _start_here(self, stack: AsyncExitStack) -> str:
        """Start in this process, and return the certificate authority."""
        backend = FaultyService(self._options, self._clock)
        endpoint = Endpoint(backend, self._options)
        self.endpoint_url = await endpoint.open()
        stack.push_async_callback(endpoint.close)
        self._running = backend
        return endpoint.ca_pem

    async def _start_child(self, stack: AsyncExitStack) -> str:
        """Start a child process, and return its certificate authority."""
        self._child = child = await start_child(self._options)
        stack.push_async_callback(child.stop)
        self.endpoint_url = child.endpoint_url
        self._running = ControlClient(child.endpoint_url, child.ca_pem)
        return child.ca_pem

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._open.aclose()

    @property
    def service(self) -> Service:
        """The service itself, for code in the same process.

        Raises:
            UsageError: the context is not open, or the service runs in another process.
        """
        if not isinstance(self._running, FaultyService):
            raise UsageError("this LocalKinesis is not open in this process; enter it without own_process=True")
        return self._running.service

    def now(self) -> float:
        """Return the service's time, in seconds since the epoch."""
        return self._clock()

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make every AWS client of a process use this Kinesis.

        For example `subprocess.run(..., env=os.environ | kinesis.environment())`.
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
        """Move the service's time forward, if its clock is a `VirtualClock`.

        Raises:
            UsageError: it has another clock.
            InvalidArgumentError: `seconds` is negative.
        """
        if not isinstance(self._clock, VirtualClock):
            raise UsageError("this LocalKinesis runs in real time; create it with clock=VirtualClock()")
        self._clock.advance(seconds)

    async def stats(self) -> KinesisStats:
        """Return the statistics of the stream's shards and of the faults."""
        return await self._backend().stats()

    async def inject(self, *faults: Fault) -> None:
        """Add faults. Their windows (`after`, `until`) count from now."""
        await self._backend().inject(faults)

    async def clear_faults(self) -> None:
        """Remove all faults, including those of the plan. `stats` keeps the counts of how often they struck."""
        await self._backend().clear_faults()

    async def stored(self, stream: str | None = None) -> AsyncIterator[StoredRecord]:
        """Iterate over all stored records, shard by shard in the order of writing, to check what a client has written.

        It needs no iterators, is not subject to quotas and faults, and does not count as reading.

        Args:
            stream: the stream's name; by default `stream_name`.

        Raises:
            RefusedError: there is no such stream.
        """
        shard_id, place = "", 0
        while True:
            page = await self._backend().stored_page(stream or self.stream_name, shard_id, place)
            for record in page.records:
                yield record
            shard_id, place = page.next_shard_id, page.next_place
            if not shard_id:
                return

    async def call(self, operation: str, **members: Any) -> dict[str, Any]:
        """Carry out one operation of the API without faults: `await kinesis.call("SplitShard", StreamName=..., ...)`.

        Blobs are passed as bytes. They are returned as bytes by this process, and as base64 text by a child process.

        Raises:
            RefusedError: the service's error, with its code and message.
            UsageError: it is SubscribeToShard, whose response only a client can follow.
        """
        if operation == "SubscribeToShard":
            raise UsageError("SubscribeToShard needs a client: its response goes on for five minutes")
        return await self._backend().call(operation, members)

    def _backend(self) -> FaultyService | ControlClient:
        if self._running is None:
            raise UsageError("this LocalKinesis is not open")
        return self._running


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="ascii")
    return str(path)
