"""The dialog about a change of a stack: show the plan, ask for confirmation, and print the events."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from truckstream.command_line import command_line
from truckstream.commands.output.console import console
from truckstream.commands.output.results import print_text
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.cloud.deployment.cloudformation.stack import StackEvent
    from truckstream.commands.aws_options import AwsOptions

__all__ = ["ChangeDialog"]


@dataclass
class ChangeDialog:
    """The dialog about one change."""

    aws: AwsOptions
    #: Confirm without asking.
    yes: bool
    #: True once the change is confirmed, so that CloudFormation may be working.
    _confirmed: bool = field(default=False, init=False)

    def confirm(self, plan: str) -> bool:
        """Print the plan, and ask whether to execute it.

        Raises:
            ConfigurationError: there is no terminal to ask at, and `yes` is not set.
        """
        if not self.aws.json:
            print_text(plan)
        if self.yes:
            self._confirmed = True
        elif self.aws.json or not sys.stdin.isatty():
            hint = "There is no terminal to ask at: pass --yes, or --dry-run to see the plan only."
            raise ConfigurationError("--yes", "is missing", hint)
        else:
            self._confirmed = console.input("Go ahead? [y/N] ").strip().lower() in {"y", "yes"}
        return self._confirmed

    def print_event(self, event: StackEvent) -> None:
        """Print one event of the stack."""
        from truckstream.commands.output.aws_reports import format_event  # noqa: PLC0415

        if not self.aws.json:
            print_text(format_event(event))

    def on_interrupt(self) -> str:
        """Return the text to print after Ctrl-C."""
        if not self._confirmed:
            return "Interrupted: nothing was changed."
        where = self.aws.given_flags
        status = command_line("truckstream", "status", "--stack", self.aws.stack, *where)
        cancel = command_line("aws", "cloudformation", "cancel-update-stack", "--stack-name", self.aws.stack, *where)
        return (
            f"Interrupted, but CloudFormation continues. {status} shows the outcome, and {cancel} rolls an update back."
        )
