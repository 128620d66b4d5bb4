"""Build the zip of the Managed Flink application: main.py, its SQL, and the jar of the connector to Kinesis.

Managed Flink brings Flink, but no connector. Maven fetches it, or the caller passes the jar.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from truckstream import __version__
from truckstream.cloud.package.archive import Archive, pack
from truckstream.errors import ConfigurationError, InvalidArgumentError, PackageError

__all__ = ["CONNECTOR", "FlinkPackageOptions", "build_flink_package"]

#: The connector for the Flink of the template's runtime, with everything that it needs.
CONNECTOR: Final = "org.apache.flink:flink-sql-connector-aws-kinesis-streams:6.0.0-2.0"
#: Its path in the zip, which the template names.
_JAR: Final = "lib/flink-sql-connector-aws-kinesis-streams.jar"
_HINT: Final = f"Pass --connector with the jar of {CONNECTOR}."


@dataclass(frozen=True, slots=True)
class FlinkPackageOptions:
    """Contents of the zip of the Managed Flink application.

    Args:
        connector: the jar of the connector; None to fetch `CONNECTOR` from Maven Central.

    Raises:
        InvalidArgumentError: there is no such jar.
    """

    connector: Path | None = None

    def __post_init__(self) -> None:
        if self.connector and not (self.connector.suffix == ".jar" and self.connector.is_file()):
            raise InvalidArgumentError("connector", str(self.connector), "must be an existing jar")


async def build_flink_package(options: FlinkPackageOptions) -> Archive:
    """Build the zip.

    Raises:
        ConfigurationError: Maven is not installed, and no jar was given.
        PackageError: Maven could not fetch the connector, or lambda_entry is not installed.
    """
    files = {path.name: path.read_bytes() for path in (_folder() / name for name in ("main.py", "windows.sql"))}
    if options.connector:
        files[_JAR] = options.connector.read_bytes()
    else:
        files[_JAR] = await _fetch()
    return await asyncio.to_thread(pack, files, {"main": __version__, "lib": CONNECTOR.rpartition(":")[2]})


def _folder() -> Path:
    spec = find_spec("lambda_entry")
    if spec is None or spec.origin is None:
        raise PackageError("the package lambda_entry is not installed here")
    return Path(spec.origin).parent / "flink"


async def _fetch() -> bytes:
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigurationError("mvn", "was not found", f"Install Maven. {_HINT}")
    with tempfile.TemporaryDirectory(prefix="truckstream-flink-") as folder:
        process = await asyncio.create_subprocess_exec(
            *(maven, "--batch-mode", "--quiet", "dependency:copy"),
            *(f"-Dartifact={CONNECTOR}", f"-DoutputDirectory={folder}"),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:  # end Maven before its folder is removed, and its pipe before the loop closes
            if process.returncode is None:
                process.kill()
            await process.communicate()
            raise
        if process.returncode:
            lines = [line for line in output.decode(errors="replace").splitlines() if "ERROR" in line]
            raise PackageError(f"Maven cannot fetch {CONNECTOR}: {' '.join(lines[:1])[:300]}. {_HINT}")
        return await asyncio.to_thread(_read_jar, Path(folder))


def _read_jar(folder: Path) -> bytes:
    [jar] = folder.glob("*.jar")
    return jar.read_bytes()
