"""Report a missing package or a missing uv in one sentence, instead of a traceback.

A script imports this module before the packages that may be missing.
"""

import shutil
import sys
from pathlib import Path


def find_uv():
    """Return the path of uv, or exit if it is not installed."""
    beside_python = str(Path(sys.executable).parent)  # where `pip install uv` puts it, in an environment on no PATH
    found = shutil.which("uv") or shutil.which("uv", path=beside_python)
    if found is None:
        sys.exit(
            "This benchmark needs uv, which installs the contestants' packages. It was not found on PATH.\n"
            "Install it: pip install uv"
        )
    return found


def _report_missing_package(kind, error, traceback):
    if not isinstance(error, ModuleNotFoundError):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stderr.write(
        f"This benchmark needs the package {error.name}, which is not installed.\n"
        f"Run it in the project's environment: uv run --group dev python {sys.argv[0]}\n"
    )


sys.excepthook = _report_missing_package
