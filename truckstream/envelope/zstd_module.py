"""zstd: the module of Python 3.14, or its backport. Loaded with the first use, which takes 15 ms of CPU.

Of the packages for zstd it is the one that bounds what it decompresses, `zstandard` does not; that has wheels of 0.4 MB
instead of 5.5, for each platform of Lambda; and that Python itself continues.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from truckstream.errors import ConfigurationError

__all__ = ["load_zstd"]


@cache
def load_zstd() -> Any:
    """Return the module.

    Raises:
        ConfigurationError: it is not installed. Nothing is wrong with an envelope then, and it must not be rejected.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - few need it
        else:
            from backports import zstd  # noqa: PLC0415 - few need it
    except ImportError as error:
        problem = "is needed for envelopes and for compressed objects, and is not installed"
        raise ConfigurationError("zstd", problem, "Install backports-zstd.") from error
    return zstd
