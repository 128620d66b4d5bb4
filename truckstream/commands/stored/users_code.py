"""Load the code that an option names as module:name, such as a schema, from this directory or an installed package."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from truckstream.errors import ConfigurationError

__all__ = ["load_named", "load_schema"]


def load_schema(text: str) -> Any:
    """Return the schema of `--schema`: that of trucks for "truck", None for "none", else the one that is named.

    Raises:
        ConfigurationError: it cannot be loaded.
    """
    if text == "truck":
        from truckstream import TruckRecord  # noqa: PLC0415 - each command loads only what it needs

        return TruckRecord
    return None if text == "none" else load_named("schema", text, "truck, none, or module:name of a msgspec type")


def load_named(option: str, text: str, expected: str) -> Any:
    """Return the object that `text` names as module:name.

    Raises:
        ConfigurationError: it cannot be loaded, for any reason that the user's module has. It names `expected`.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # and it stays there, as the module may import others later
    module, _, name = text.partition(":")
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        problem = f"is {text!r}, and {type(error).__name__}: {error}"
        raise ConfigurationError(option, problem, f"Pass {expected}, in the current directory or a package.") from error
