"""The source files that the function needs: those that its handler can import, found by parsing them.

A list kept by hand would become wrong, and packing all files would bring the producer, the local Kinesis and these
commands into the function. Imports inside functions count; imports for type checkers do not.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["HANDLER_MODULE", "Sources", "needed_sources"]

HANDLER_MODULE: Final = "lambda_entry.handler"


@dataclass(frozen=True, slots=True)
class Sources:
    """The source files of the function."""

    #: Contents by path in the zip.
    files: Mapping[str, bytes]
    #: Top-level modules that these files import from elsewhere: the standard library and wheels.
    foreign: frozenset[str]


def needed_sources(roots: Mapping[str, Path], module: str = HANDLER_MODULE) -> Sources:
    """Return the source files that an import of `module` can load.

    Args:
        roots: folder by top-level package, such as {"truckstream": Path(".../truckstream")}.
        module: the module whose imports are followed.
    """
    files: dict[str, bytes] = {}
    foreign: set[str] = set()
    waiting, seen = [module], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.partition(".")[0] not in roots:
            foreign.add(name.partition(".")[0])
        elif path := _file_of(name, roots):
            source = path.read_bytes()
            files[_archive_name(path, roots)] = source
            waiting += imported_modules(source)
            waiting += _parents(name)
    return Sources(files, frozenset(foreign))


def imported_modules(source: bytes) -> Iterator[str]:
    """Yield the modules that a file imports at run time: for `from a import b` a and a.b, as b may be a module."""
    tree = ast.parse(source)
    for_type_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for branch in node.body
        for inner in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in for_type_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str, roots: Mapping[str, Path]) -> Path | None:
    top, *rest = name.split(".")
    path = roots[top].joinpath(*rest)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _archive_name(path: Path, roots: Mapping[str, Path]) -> str:
    [(top, root)] = [(top, root) for top, root in roots.items() if path.is_relative_to(root)]
    return f"{top}/{path.relative_to(root).as_posix()}"


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
