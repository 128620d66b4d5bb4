"""Load the schema of a deployment from a user's module, to know its columns before the function runs.

This imports the module, as the function will. `truck` and `none` need no module.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from typing import TYPE_CHECKING, Any

from truckstream.cloud.package.user_modules.included import import_folder, module_name
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["load_schema"]


def load_schema(name: str, include: Sequence[Path]) -> Any:
    """Return the schema that a deployment's parameter Schema names as module:name.

    Args:
        name: the parameter's value.
        include: the user's modules in the zip.

    Raises:
        ConfigurationError: the zip does not have the module, or the module has no such name.
    """
    module, _, attribute = name.partition(":")
    top = module.partition(".")[0]
    modules = {module_name(path): path for path in include}
    if top != "truckstream" and top not in modules:
        hint = f"Pass --include {top}.py, the file or the package with the schema."
        raise ConfigurationError("Schema", f"is {name!r}, and the zip would have no module {top}", hint)
    try:
        with _importable(modules):
            return getattr(import_module(module), attribute)
    except Exception as error:
        hint = "Set it to module:name of a msgspec type or a function in a module that --include names."
        raise ConfigurationError("Schema", f"is {name!r}, and {type(error).__name__}: {error}", hint) from error


@contextmanager
def _importable(modules: dict[str, Path]) -> Iterator[None]:
    """Let the modules be imported, and forget them afterwards, because a file may change or move."""
    before = list(sys.path)
    sys.path[:0] = [str(import_folder(path)) for path in modules.values()]
    invalidate_caches()
    _forget(modules)
    try:
        yield
    finally:
        sys.path[:] = before
        _forget(modules)


def _forget(modules: dict[str, Path]) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] in modules]:
        del sys.modules[name]
