"""The deployed template as text: read, made small enough to be sent, and parts left out.

CloudFormation takes 51,200 bytes of template with a call. Comments are for readers of the file, so they stay behind,
and then no bucket is needed to show what a deployment would change.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["LOCALLY_LEFT_OUT", "MAX_TEMPLATE_BYTES", "compact", "parameters_of", "read_template", "without"]

MAX_TEMPLATE_BYTES: Final = 51_200

#: What local stand-ins of AWS (ministack 1.5) cannot create: alarms on expressions, named queries, network ACLs.
LOCALLY_LEFT_OUT: Final = (
    *("ErrorRateAlarm", "StreamLoadAlarm"),
    *("LatestQuery", "HealthQuery", "RejectedQuery", "TwiceQuery"),
    *("NetworkAcl", "AclA", "AclB", "AclTlsOut", "AclTlsIn", "AclAnswersIn", "AclAnswersOut"),
)

_BLOCK: Final = re.compile(r"^(?=  [A-Za-z0-9]+:)", re.MULTILINE)


def read_template() -> str:
    """lambda_entry/template.yaml, as it stands."""
    spec = find_spec("lambda_entry")
    if spec is None or spec.origin is None:
        raise DeploymentError("NoTemplate", "the package lambda_entry is not installed here")
    return (Path(spec.origin).parent / "template.yaml").read_text(encoding="utf-8")


def compact(template: str) -> str:
    """The same template without comments and empty lines.

    Raises:
        DeploymentError: it is too large all the same.
    """
    lines = (line.rstrip() for line in template.splitlines())
    small = "\n".join(line for line in lines if line and not line.lstrip().startswith("#")) + "\n"
    if (size := len(small.encode())) > MAX_TEMPLATE_BYTES:
        raise DeploymentError(
            "TooLarge", f"the template has {size:,} bytes; CloudFormation takes {MAX_TEMPLATE_BYTES:,}"
        )
    return small


def parameters_of(template: str) -> tuple[str, ...]:
    """The names of the template's parameters."""
    return tuple(re.findall(r"^  (\w+):", _section(template, "Parameters")[1], re.MULTILINE))


def without(template: str, names: Collection[str]) -> str:
    """The template without these resources, to which no other may refer.

    Raises:
        InvalidArgumentError: there is no such resource.
    """
    before, section, after = _section(template, "Resources")
    blocks = [block for block in _BLOCK.split(section) if block]
    known = {block.lstrip().partition(":")[0]: block for block in blocks}
    for name in names:
        if name not in known:
            raise InvalidArgumentError("leave_out", name, "must be the name of a resource of the template")
    return before + "".join(block for name, block in known.items() if name not in names) + after


def _section(template: str, name: str) -> tuple[str, str, str]:
    """What stands before a section's content, the content, and what stands after it."""
    start = template.index(f"\n{name}:\n") + len(name) + 3
    end = re.search(r"^\S", template[start:], re.MULTILINE)
    stop = len(template) if end is None else start + end.start()
    return template[:start], template[start:stop], template[stop:]
