"""lambda_entry/template.yaml as cfn-lint parses it."""

import json
from pathlib import Path

from cfnlint.decode import decode_str

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "lambda_entry" / "template.yaml").read_text(encoding="utf-8")
# The round trip turns cfn-lint's own dicts and strings, which remember their lines, into plain ones.
TEMPLATE = json.loads(json.dumps(decode_str(TEXT)[0]))
RESOURCES = TEMPLATE["Resources"]
PARAMETERS = TEMPLATE["Parameters"]
