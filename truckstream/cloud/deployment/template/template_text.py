"""The CloudFormation template as text: its parameters, and without unwanted resources.

CloudFormation accepts 51,200 bytes of template in a call. Ours is larger, and is uploaded to a bucket first.

The functions rely on the layout of our own template: top-level sections, and names below them in one column. A YAML
library would be a dependency of the command for them alone. tests/cloud/deployment/template/test_template.py compares
their results with those of a YAML parser.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "defaults_of",
    "parameters_of",
    "read_template",
    "resources_of",
    "with_parameter",
    "without",
    "without_metadata",
]


def read_template() -> str:
    """Return the text of lambda_entry/template.yaml."""
    spec = find_spec("lambda_entry")
    if spec is None or spec.origin is None:
        raise DeploymentError("NoTemplate", "the package lambda_entry is not installed here")
    return (Path(spec.origin).parent / "template.yaml").read_text(encoding="utf-8")


def without_metadata(template: str) -> str:
    """Return the template without what is for checkov in it: a change of a remark would be a change of the resource."""
    before, resources, after = _section(template, "Resources")
    return before + re.sub(r"^( *)Metadata:\n(?:\1 .*\n)*", "", resources, flags=re.MULTILINE) + after


def parameters_of(template: str) -> tuple[str, ...]:
    """Return the names of the template's parameters."""
    return tuple(_entries(_section(template, "Parameters")[1]))


def defaults_of(template: str) -> dict[str, str]:
    """Return the defaults of the template's parameters by name."""
    entries = _entries(_section(template, "Parameters")[1])
    found = {name: re.search(r"^ +Default: (.*)$", entry, re.MULTILINE) for name, entry in entries.items()}
    return {name: default[1].strip().strip('"') for name, default in found.items() if default}


def resources_of(template: str) -> tuple[str, ...]:
    """Return the names of the template's resources."""
    return tuple(name for name in _entries(_section(template, "Resources")[1]) if name.isidentifier())  # no comments


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
    entries = _entries(section)
    for name in names:
        if name not in entries:
            raise InvalidArgumentError("leave_out", name, "must be the name of a resource of the template")
    return before + "".join(entry for name, entry in entries.items() if name not in names) + after


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section by name. All begin in the column of the first one."""
    column = len(section) - len(section.lstrip(" "))
    entries = re.split(rf"^(?= {{{column}}}\w+:)", section, flags=re.MULTILINE)
    return {entry.lstrip().partition(":")[0]: entry for entry in entries if entry}


def _section(template: str, name: str) -> tuple[str, str, str]:
    """Split the template into the text before a section's content, the content, and the text after it."""
    start = template.index(f"\n{name}:\n") + len(name) + 3
    end = re.search(r"^\S", template[start:], re.MULTILINE)
    stop = len(template) if end is None else start + end.start()
    return template[:start], template[start:stop], template[stop:]
