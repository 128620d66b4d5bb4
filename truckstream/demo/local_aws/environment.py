"""Cut this process off from the user's AWS settings."""

from __future__ import annotations

import os

__all__ = ["isolate_from_aws"]


def isolate_from_aws() -> None:
    """Replace the AWS settings in this process's environment with settings of the demo's own.

    The demo connects only to this machine. No profile, proxy or endpoint of the user may change that.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
