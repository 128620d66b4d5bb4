"""make_handler, as the module of a Lambda function uses it."""

from typing import Any, assert_type

from truckstream import Batcher, make_handler
from truckstream.lambda_function import LambdaHandler


def make_batcher() -> Batcher:
    return Batcher("s3://readings", schema=dict, compression="gzip")


async def make_batcher_on_a_loop() -> Batcher:
    return make_batcher()


lambda_handler = make_handler(make_batcher)
assert_type(lambda_handler, LambdaHandler)


def call(event: dict[str, Any], context: object) -> dict[str, Any]:
    response = make_handler(lambda: Batcher("memory:///"), log_level="DEBUG", safety_margin=2.5)(event, context)
    assert_type(response, dict[str, Any])
    lambda_handler.close()
    return response


def wrong_uses() -> None:
    make_handler()  # type: ignore[call-arg]
    make_handler(Batcher("memory:///"))  # type: ignore[arg-type]
    make_handler(make_batcher_on_a_loop)  # type: ignore[arg-type]
    make_handler(make_batcher, "DEBUG")  # type: ignore[call-arg, arg-type]
    make_handler(make_batcher, log_level="LOUD")  # type: ignore[arg-type]
    make_handler(make_batcher, safety_margin="1")  # type: ignore[arg-type]
