"""A user's own modules for the zip, such as the one with the schema: `truckstream package --include my_schema.py`.

A module is a Python file or the folder of a package. It lies at the top of the zip, so that the function imports it by
the name that it has here. Its imports are looked up when the zip is built: a module that the function does not have
would otherwise be noticed when the first records arrive.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.cloud.package.archive import is_noise
from truckstream.cloud.package.dependencies.requirements import distributions_for
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

__all__ = ["IncludedModule", "check_includes", "import_folder", "missing_imports", "module_name", "read_include"]

#: Modules of Lambda's Python runtimes beside the standard library (AWS Lambda developer guide, 2026-11). The zip brings
#: everything else, because the versions there change.
_OF_THE_RUNTIME: Final = frozenset({"boto3", "botocore"})

_OURS: Final = frozenset({"truckstream", "lambda_entry"})


class IncludedModule(NamedTuple):
    """A module of a user."""

    name: str
    #: Contents by path in the zip.
    files: Mapping[str, bytes]


def check_includes(paths: Iterable[Path]) -> None:
    """Raise unless each path is a module that the zip can take.

    Raises:
        InvalidArgumentError: one is not a Python file or package, or its name is taken.
    """
    names = set[str]()
    for path in paths:
        name = _checked_name(path)
        if name in names:
            raise InvalidArgumentError("include", str(path), f"must have another name: two of them are named {name}")
        names.add(name)


def module_name(path: Path) -> str:
    """Return the name by which a path's module is imported. A folder may be given as `.`, which is no name."""
    return path.resolve().name if path.is_dir() else path.stem


def import_folder(path: Path) -> Path:
    """Return the folder in which Python finds a path's module by its name."""
    return (path.resolve() if path.is_dir() else path.absolute()).parent


def _checked_name(path: Path) -> str:
    if path.is_dir():
        if not (path / "__init__.py").is_file():
            raise InvalidArgumentError("include", str(path), "must be a Python file, or a folder with __init__.py")
    elif path.suffix != ".py" or not path.is_file():
        raise InvalidArgumentError(
            "include", str(path), "must be an existing Python file, or a folder with __init__.py"
        )
    name = module_name(path)
    if not name.isidentifier():
        raise InvalidArgumentError("include", str(path), "must have a name that Python can import")
    if name in sys.stdlib_module_names | _OURS | _OF_THE_RUNTIME or distributions_for(name):
        raise InvalidArgumentError("include", str(path), f"must have another name: the function has a module {name}")
    return name


def read_include(path: Path) -> IncludedModule:
    """Return the files of a module that `check_includes` accepts, without hidden ones, such as .env."""
    if not path.is_dir():
        return IncludedModule(module_name(path), {path.name: path.read_bytes()})
    root = path.resolve()
    found = {f"{root.name}/{file.relative_to(root).as_posix()}": file for file in root.rglob("*") if file.is_file()}
    wanted = {name: file for name, file in found.items() if not is_noise(name) and "/." not in name}
    return IncludedModule(module_name(path), {name: file.read_bytes() for name, file in wanted.items()})


def missing_imports(
    modules: Iterable[IncludedModule], foreign: Mapping[str, str], available: Collection[str]
) -> list[tuple[str, str]]:
    """Return the modules that the function would not find, each with the file that imports it.

    Args:
        modules: a user's modules, which may import each other.
        foreign: the file that imports each module that is not truckstream's.
        available: modules that the function without these modules imports.
    """
    known = sys.stdlib_module_names | _OF_THE_RUNTIME | {*available} | {module.name for module in modules}
    return sorted((name, file) for name, file in foreign.items() if name not in known and not distributions_for(name))
