"""The CloudFormation template as text: without comments, and without unwanted resources.

CloudFormation accepts 51,200 bytes of template in a call; a larger one must be uploaded to a bucket first. Without its
comments our template is small enough, so that a plan can be shown without creating a bucket.

The functions rely on the layout of our own template: top-level sections, and names indented by two spaces. A YAML
library would be a dependency of the command for them alone. tests/cloud/deployment/test_template.py compares their
results with those of a YAML parser.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "compact",
    "defaults_of",
    "fits_a_call",
    "parameters_of",
    "read_template",
    "resources_of",
    "with_parameter",
    "without",
]

#: Quota "Template body size in a request" (CloudFormation user guide, 2026-11).
_MAX_BYTES_IN_A_CALL: Final = 51_200

#: Splits a section into its entries, which begin with a name indented by two spaces.
_ENTRY: Final = re.compile(r"^(?=  [A-Za-z0-9]+:)", re.MULTILINE)


def read_template() -> str:
    """Return the text of lambda_entry/template.yaml."""
    spec = find_spec("lambda_entry")
    if spec is None or spec.origin is None:
        raise DeploymentError("NoTemplate", "the package lambda_entry is not installed here")
    return (Path(spec.origin).parent / "template.yaml").read_text(encoding="utf-8")


def compact(template: str) -> str:
    """Return the template without comments and empty lines."""
    lines = (line.rstrip() for line in template.splitlines())
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#")) + "\n"


def fits_a_call(template: str) -> bool:
    """Return whether CloudFormation accepts the template in a call."""
    return len(template.encode()) <= _MAX_BYTES_IN_A_CALL


def parameters_of(template: str) -> tuple[str, ...]:
    """Return the names of the template's parameters."""
    return tuple(re.findall(r"^  (\w+):", _section(template, "Parameters")[1], re.MULTILINE))


def defaults_of(template: str) -> dict[str, str]:
    """Return the defaults of the template's parameters by name."""
    entries = _ENTRY.split(_section(template, "Parameters")[1])
    found = {
        entry.lstrip().partition(":")[0]: re.search(r"^    Default: (.*)$", entry, re.MULTILINE) for entry in entries
    }
    return {name: default[1].strip().strip('"') for name, default in found.items() if default}


def resources_of(template: str) -> tuple[str, ...]:
    """Return the names of the template's resources."""
    return tuple(re.findall(r"^  (\w+):", _section(template, "Resources")[1], re.MULTILINE))


def with_parameter(template: str, name: str) -> str:
    """Return the template with one more parameter, a text that no resource uses."""
    before, section, after = _section(template, "Parameters")
    return f"{before}{section}  {name}: {{Type: String, Default: none}}\n{after}"


def without(template: str, names: Collection[str]) -> str:
    """Return the template without these resources, to which no other resource may refer.

    Raises:
        InvalidArgumentError: the template has no such resource.
    """
    before, section, after = _section(template, "Resources")
    entries = {entry.lstrip().partition(":")[0]: entry for entry in _ENTRY.split(section) if entry}
    for name in names:
        if name not in entries:
            raise InvalidArgumentError("leave_out", name, "must be the name of a resource of the template")
    return before + "".join(entry for name, entry in entries.items() if name not in names) + after


def _section(template: str, name: str) -> tuple[str, str, str]:
    """Split the template into the text before a section's content, the content, and the text after it."""
    start = template.index(f"\n{name}:\n") + len(name) + 3
    end = re.search(r"^\S", template[start:], re.MULTILINE)
    stop = len(template) if end is None else start + end.start()
    return template[:start], template[start:stop], template[stop:]
