"""An AWS Lambda function around a Batcher: `make_handler` returns its entry point.

    lambda_handler = make_handler(lambda: Batcher("s3://readings", schema=Reading))

`lambda_entry/handler.py` is the function that the template deploys, made with it.
"""

from __future__ import annotations

from truckstream.lambda_function.handler import LambdaHandler, make_handler

__all__ = ["LambdaHandler", "make_handler"]
