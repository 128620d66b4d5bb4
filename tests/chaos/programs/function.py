"""The function in a process of its own: an event of JSON a line in, its answer out, until the input ends."""

import json
import os
import sys
from types import SimpleNamespace

from lambda_entry.handler import lambda_handler

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the handler logs is no answer
for line in sys.stdin:
    context = SimpleNamespace(aws_request_id="request", get_remaining_time_in_millis=lambda: 60_000)
    print(json.dumps(lambda_handler(json.loads(line), context)), file=answers, flush=True)
