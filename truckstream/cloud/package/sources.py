"""The source files that the function needs: those that its handler and a user's modules can import, found by parsing.

A list kept by hand would become wrong, and packing all files would bring the producer, the local Kinesis and these
commands into the function. Imports inside functions count; imports for type checkers do not.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream import _MODULES
from truckstream.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["HANDLER_MODULE", "Sources", "imported_modules", "needed_sources"]

HANDLER_MODULE: Final = "lambda_entry.handler"

#: `from truckstream import Batcher` loads this module, which no import statement names.
_LAZY_NAMES: Final = {f"truckstream.{name}": f"truckstream.{module}" for name, module in _MODULES.items()}


class Sources(NamedTuple):
    """The source files of the function."""

    #: Contents by path in the zip.
    files: Mapping[str, bytes]
    #: Top-level modules that these files import from elsewhere, each with the first file that imports it.
    foreign: Mapping[str, str]


def needed_sources(
    roots: Mapping[str, Path], module: str = HANDLER_MODULE, included: Mapping[str, bytes] | None = None
) -> Sources:
    """Return the source files that an import of `module` can load, and the included files with those that they load.

    Args:
        roots: folder by top-level package, such as {"truckstream": Path(".../truckstream")}.
        module: the module whose imports are followed.
        included: a user's files by path in the zip.

    Raises:
        PackageError: an included file is not valid Python.
    """
    files, foreign, seen = dict(included or {}), dict[str, str](), set[str]()
    waiting = [(module, "")]
    for path, source in files.items():
        if path.endswith(".py"):
            waiting += ((name, path) for name in imported_modules(source, path, optional=False))
    while waiting:
        name, importer = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.partition(".")[0] not in roots:
            foreign.setdefault(name.partition(".")[0], importer)
        elif found := _file_of(_LAZY_NAMES.get(name, name), roots):
            path, source = _archive_name(found, roots), found.read_bytes()
            files[path] = source
            waiting += ((each, path) for each in (*imported_modules(source, path), *_parents(name)))
    return Sources(files, foreign)


def imported_modules(source: bytes, path: str = "", *, optional: bool = True) -> Iterator[str]:
    """Yield the modules that a file imports at run time: for `from a import b` a and a.b, as b may be a module.

    `optional=False` leaves out those that may be missing: the file catches their ImportError.

    Raises:
        PackageError: the file is not valid in this Python.
    """
    tree = _parse(source, path)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if _is_for_type_checkers(node) or (not optional and _catches_import_error(node))
        for branch in node.body  # type: ignore[attr-defined]
        for inner in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _catches_import_error(node: ast.AST) -> bool:
    caught = [handler.type for handler in node.handlers] if isinstance(node, ast.Try) else []
    return any(
        kind and "ImportError" in ast.unparse(kind).replace("ModuleNotFoundError", "ImportError") for kind in caught
    )


def _parse(source: bytes, path: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        hint = "Correct it, or run this command with the Python version that the file is written for."
        raise PackageError(f"{path} is not valid in Python {version}: {error}. {hint}") from error


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
