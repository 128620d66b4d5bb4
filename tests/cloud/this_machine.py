"""The platform of a function that runs on this machine, in ministack or from its zip."""

import platform
import sys

from truckstream.cloud.package.build import Architecture

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
