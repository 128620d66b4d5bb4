"""lambda_entry/template.yaml as plain dicts, lists and strings.

cfn-lint, which the checks run, has a parser too, but each process of pytest would take two seconds to import it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads the short forms of functions, such as `!Sub text`, and leaves dates as text."""


def _function(loader: yaml.Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    """Return the long form of a function."""
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def parsed(text: str) -> Any:
    """Return a template as plain values."""
    return yaml.load(text, _Loader)


ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "lambda_entry" / "template.yaml").read_text(encoding="utf-8")
TEMPLATE = parsed(TEXT)
RESOURCES = TEMPLATE["Resources"]
PARAMETERS = TEMPLATE["Parameters"]
