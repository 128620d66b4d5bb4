"""Build the function's zip for Lambda's platform on any machine, without running code of the function.

The zip holds the source files that the handler can import, their wheels, a user's own modules, bytecode for the
function's Python, and a bill of materials.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from truckstream import __version__
from truckstream.cloud.package.archive import pack
from truckstream.cloud.package.bytecode import compile_bytecode
from truckstream.cloud.package.dependencies.bill_of_materials import BILL_OF_MATERIALS, bill_of_materials
from truckstream.cloud.package.dependencies.requirements import (
    REQUIREMENTS,
    compaction_packages,
    distributions_for,
    extras_of,
    required_packages,
)
from truckstream.cloud.package.dependencies.wheels import read_wheels
from truckstream.cloud.package.shared_libraries import without_symbols
from truckstream.cloud.package.sources import HANDLER_MODULE, Sources, needed_sources
from truckstream.cloud.package.user_modules.included import check_includes, missing_imports, read_include
from truckstream.errors import InvalidArgumentError, PackageError

if TYPE_CHECKING:
    from truckstream.cloud.package.archive import Archive

__all__ = ["REQUIREMENTS", "Architecture", "PackageOptions", "build_package"]

Architecture = Literal["arm64", "x86_64"]

#: The glibc version of each runtime, as wheels name it. python3.11 runs on Amazon Linux 2 (glibc 2.26), later ones on
#: Amazon Linux 2023 (2.34). obstore's aarch64 wheels need 2.28, so that python3.11 works on x86_64 only.
_GLIBC: Final = {"3.11": "2_17", "3.12": "2_28", "3.13": "2_28", "3.14": "2_28"}
#: The oldest one that the wheels of DuckDB run on, for both processors.
_GLIBC_OF_DUCKDB: Final = "2_28"
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
#: The module of each function's handler.
_MODULES: Final = {"storage": HANDLER_MODULE, "compaction": "lambda_entry.compaction"}
_FORMATS: Final = ("ndjson", "json", "parquet")
_COMPRESSIONS: Final = ("none", "gzip", "zstd")


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """Platform and contents of the function's zip.

    Args:
        architecture: processor, arm64 or x86_64.
        python: Python version, such as 3.13.
        include: your own modules, such as the one with the schema: Python files, or folders of packages. The function
            imports each by its name.
        format: the format of the objects: ndjson, json or parquet. Parquet needs further packages in the zip.
        compression: the compression of the objects: none, gzip or zstd. The zip is the same for all of them.
        function: storage, which stores the records of the stream, or compaction, which runs on a schedule and reads
            objects of every format and compression.

    Raises:
        InvalidArgumentError: Lambda does not have this platform, there is no such format or function, or a module
            cannot be taken.
    """

    architecture: Architecture = "arm64"
    python: str = "3.13"
    include: tuple[Path, ...] = ()
    format: str = "ndjson"
    compression: str = "none"
    function: str = "storage"

    def __post_init__(self) -> None:
        _check("architecture", self.architecture, tuple(_MACHINES))
        _check("python", self.python, tuple(_GLIBC))
        _check("format", self.format, _FORMATS)
        _check("compression", self.compression, _COMPRESSIONS)
        _check("function", self.function, tuple(_MODULES))
        if self.function == "compaction":
            _check("python", self.python, tuple(each for each, glibc in _GLIBC.items() if glibc >= _GLIBC_OF_DUCKDB))
        check_includes(self.include)

    @property
    def platform(self) -> str:
        """The platform as uv names it."""
        return f"{_MACHINES[self.architecture]}-manylinux_{_GLIBC[self.python]}"


def _check(argument: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidArgumentError(argument, value, f"must be one of {', '.join(choices)}")


async def build_package(options: PackageOptions | None = None) -> Archive:
    """Build the zip.

    Raises:
        ConfigurationError: uv is not installed.
        PackageError: a wheel or the network is missing, a file is not valid Python, an included module imports one that
            the function does not have, or the zip is too large.
    """
    options = options or PackageOptions()
    modules = [read_include(path) for path in options.include]
    included = {name: content for each in modules for name, content in each.files.items()}
    roots = {name: _folder_of(name) for name in ("truckstream", "lambda_entry")}
    module = _MODULES[options.function]
    sources = needed_sources(roots, module, included)
    if modules:
        _refuse_missing(missing_imports(modules, sources.foreign, needed_sources(roots, module).foreign))
    wheels = await read_wheels(_packages(options, sources, roots), python=options.python, platform=options.platform)
    bill = bill_of_materials(wheels, (each.name for each in modules))
    files = {name: without_symbols(content) for name, content in wheels.items()}
    files |= {**sources.files, BILL_OF_MATERIALS: bill}
    bytecode = await compile_bytecode(files, options.python)
    versions = {"truckstream": __version__, "lambda_entry": __version__, **_versions(wheels)}
    return await asyncio.to_thread(pack, {**files, **bytecode.files}, versions, bytecode.compiled_by)


def _packages(options: PackageOptions, sources: Sources, roots: dict[str, Path]) -> list[str]:
    """Return the packages of the zip: those of the handler, of the format, and of the included modules."""
    names = {*required_packages(options.python), *extras_of(options.format)}
    if options.function == "compaction":
        names.update(compaction_packages())
    for module, importer in sources.foreign.items():
        if importer.partition("/")[0] not in roots:
            names.update(distributions_for(module))
    return sorted(names)


def _refuse_missing(missing: list[tuple[str, str]]) -> None:
    if missing:
        found = ", ".join(f"{name} (imported by {file})" for name, file in missing)
        hint = "Add each with --include, which takes Python files and packages, or import them elsewhere."
        raise PackageError(f"the function would not find these modules: {found}. {hint}")


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise PackageError(f"the package {package} is not installed here")
    return Path(spec.origin).parent


def _versions(files: dict[str, bytes]) -> dict[str, str]:
    """Return the versions by package, from the names of the dist-info folders."""
    folders = {name.partition("/")[0] for name in files}
    return dict(name.removesuffix(".dist-info").split("-", 1) for name in folders if name.endswith(".dist-info"))
