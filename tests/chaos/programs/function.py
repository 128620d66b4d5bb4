"""Run the function in its own process: read an event a line as JSON, print the response, until the input ends."""

import json
import os
import sys
from types import SimpleNamespace

from lambda_entry.handler import lambda_handler

responses = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # so that log lines do not mix with responses
for line in sys.stdin:
    context = SimpleNamespace(aws_request_id="request", get_remaining_time_in_millis=lambda: 60_000)
    print(json.dumps(lambda_handler(json.loads(line), context)), file=responses, flush=True)
