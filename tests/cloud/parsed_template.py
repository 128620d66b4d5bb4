"""lambda_entry/template.yaml as cfn-lint parses it."""

import json
from pathlib import Path
from typing import Any

from cfnlint.decode import decode_str


def parsed(text: str) -> Any:
    """Return a template as plain dicts and strings; cfn-lint's own remember their lines."""
    return json.loads(json.dumps(decode_str(text)[0]))


ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "lambda_entry" / "template.yaml").read_text(encoding="utf-8")
TEMPLATE = parsed(TEXT)
RESOURCES = TEMPLATE["Resources"]
PARAMETERS = TEMPLATE["Parameters"]
