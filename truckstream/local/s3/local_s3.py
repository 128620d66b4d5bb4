"""`LocalS3`: buckets on this machine, for clients and tests."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

from truckstream.errors import UsageError
from truckstream.local.s3.server import CONTROL

if TYPE_CHECKING:
    from types import TracebackType

    from truckstream.local.s3.faults import S3Fault

__all__ = ["LocalS3"]


class LocalS3:
    """An S3 with one bucket, in a process of its own.

        with LocalS3() as s3:
            Batcher(s3.url, endpoint_url=s3.endpoint_url, ...)

    Args:
        seed: of the faults that strike at a rate.

    Raises:
        UsageError: on entering: moto is not installed.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.endpoint_url = ""
        self.bucket = ""
        self.region_name = "us-east-1"
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if find_spec("moto") is None:
            raise UsageError("the local S3 needs the package moto: pip install 'truckstream[local-s3]'")
        command = [sys.executable, "-m", "truckstream.local.s3", str(self._seed)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603 - no shell
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        port = self._process.stdout.readline().strip()
        if not port:
            raise UsageError("the local S3 did not start; its error is above")
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.reset()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None  # noqa: S101 - for the type checker
        with self._process:
            self._process.kill()

    @property
    def url(self) -> str:
        """The bucket as a store of the Batcher."""
        return f"s3://{self.bucket}"

    def environment(self) -> dict[str, str]:
        """Return the variables for AWS clients. The Batcher needs the endpoint, too, because it is not TLS."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": self.region_name,
            "AWS_DEFAULT_REGION": self.region_name,
        }

    def reset(self) -> None:
        """Go on with a new, empty bucket, and without faults."""
        self.set_faults()
        self.bucket = f"test-{uuid4().hex[:12]}"
        self._call("PUT", f"/{self.bucket}")

    def set_faults(self, *faults: S3Fault) -> None:
        """Replace the faults, and begin to count anew."""
        self._call("POST", CONTROL, json.dumps([asdict(fault) for fault in faults]).encode())

    @property
    def hits(self) -> dict[str, int]:
        """How often each kind of fault has struck."""
        found: dict[str, int] = json.loads(self._call("GET", CONTROL))
        return found

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the content of the bucket's objects by their keys. Faults of GET requests strike here as well."""
        from obstore.store import S3Store  # noqa: PLC0415 - loaded when it is used

        options: dict[str, Any] = {"client_options": {"allow_http": True, "proxy_excludes": "127.0.0.1"}}
        store = S3Store(
            self.bucket,
            endpoint=self.endpoint_url,
            region=self.region_name,
            access_key_id="local",
            secret_access_key="local",  # noqa: S106 - any value is accepted
            **options,
        )
        keys = sorted(meta["path"] for chunk in store.list(prefix or None) for meta in chunk)
        return {key: bytes(store.get(key).bytes()) for key in keys}

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        request = Request(self.endpoint_url + path, data=body, method=method)  # noqa: S310 - http to this machine
        with build_opener(ProxyHandler({})).open(request, timeout=30) as response:
            content: bytes = response.read()
        return content
