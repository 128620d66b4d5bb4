"""The `truckstream` program: its commands, and how it ends when one of them fails.

Exit status of `demo`, `simulate`, `local` and `put`: 0 for success, 1 if records were lost, duplicated or failed, 2 if
an option or a setting is wrong, 130 if a second Ctrl-C cancelled the command. results.py lists the exit status of the
commands on AWS, of which `streams` is one.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from truckstream import __version__
from truckstream.errors import TruckstreamError

try:
    import rich  # noqa: F401 - the commands need it
    from cyclopts import App, Parameter
except ModuleNotFoundError as missing:
    sys.exit(f"The truckstream command needs the package {missing.name}: pip install 'truckstream[cli]'")

from truckstream.commands.dashboard import dashboard
from truckstream.commands.demo import demo
from truckstream.commands.deploy import deploy, destroy, package, policies, provision
from truckstream.commands.local import local
from truckstream.commands.output.console import discard_output
from truckstream.commands.output.results import exit_status, print_error, print_interrupted
from truckstream.commands.search import search
from truckstream.commands.settings.init import init
from truckstream.commands.signals import CANCELLED
from truckstream.commands.simulate import simulate
from truckstream.commands.stored.compact import compact
from truckstream.commands.stored.query.command import query
from truckstream.commands.stored.replay import replay
from truckstream.commands.stored.verify import verify
from truckstream.commands.stream.alerts import alerts
from truckstream.commands.stream.put import put
from truckstream.commands.stream.sql.command import sql
from truckstream.commands.stream.streams import streams
from truckstream.commands.stream.tail import tail
from truckstream.commands.watch import doctor, scale, status
from truckstream.commands.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable


def _default_in_help(default: object) -> str | None:
    """Return a default as the help shows it; defaults that mean "off" or "not set" are not shown."""
    return None if default is None or default is False or default == () else str(default)


def _example(command: Callable[..., object]) -> str:
    """Return the section "Example" of the command's docstring, which ends its help.

    It is indented, so that it is shown as it stands there, and not as a paragraph.
    """
    section = inspect.cleandoc(command.__doc__ or "").partition("\nExample:\n")[2]
    lines = section.partition("\n\n")[0]
    return f"Example:\n\n{lines}" if lines else ""


app = App(
    name="truckstream",
    version=__version__,
    help="Carry telemetry through Amazon Kinesis into S3 at the full speed of the shards, and lose no record.",
    default_parameter=Parameter(negative=(), show_default=_default_in_help),
)
for command in (
    *(demo, init, local, simulate),
    *(put, sql, streams, tail, alerts),
    dashboard,
    *(provision, deploy, destroy, package, policies),
    *(status, doctor, scale),
    verify,
    query,
    search,
    worker,
    replay,
    compact,
):
    app.command(command, help_epilogue=_example(command))
app.register_install_completion_command(
    help="Install the completion of commands and options for your shell: bash, zsh or fish.",
    help_epilogue="Example:\n\n    truckstream --install-completion --shell bash",
)


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its status."""
    try:
        code = app(result_action="return_value")
    except TruckstreamError as error:
        print_error(error, json="--json" in sys.argv)
        code = exit_status(error)
    except BrokenPipeError:  # such as after `| head`: the reader wants no more
        discard_output()
        code = 0
    except KeyboardInterrupt:  # before the command had begun
        print_interrupted("Interrupted.", json="--json" in sys.argv)
        code = CANCELLED
    sys.exit(code)
