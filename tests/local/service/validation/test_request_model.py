"""The table of requests agrees with botocore's model in every operation, member and bound; exceptions have a reason."""

import pytest
from botocore.session import get_session

from truckstream.local.service.service import OPERATIONS
from truckstream.local.service.validation.shapes import (
    REQUESTS,
    Blob,
    Flag,
    Items,
    Pairs,
    Shape,
    Text,
    Timestamp,
    Whole,
)

# --- The requests, against the model that botocore ships ------------------------------------------

MODEL = get_session().get_service_model("kinesis")

#: Operations that the model has and this service does not, with the reason.
NO_OPERATION = dict.fromkeys(
    ("CreateChannel", "DeleteChannel", "DescribeChannel", "ListChannels", "UpdateChannel"),
    "a channel delivers a stream to S3 or Iceberg tables, which the local Kinesis does not do",
)
#: Members that the model has and this service does not, with the reason.
LEFT_OUT = {
    "StreamId": "not implemented by the service either",
}
#: The model no longer requires it, because a stream with automatic distribution needs none; see `shapes.KEYLESS`.
STRICTER = {"PartitionKey"}
#: Bounds that the service has and its model does not, with their source.
BOUNDS_OF_ITS_OWN = {
    "RetentionPeriodHours": "kinesalite's tests, recorded when the year that is documented now was a week",
}
KINDS = {
    Text: "string",
    Whole: "integer",
    Blob: "blob",
    Flag: "boolean",
    Timestamp: "timestamp",
    Items: "list",
    Pairs: "map",
    Shape: "structure",
}


def differences(rule, shape, path):
    """Yield each difference between a rule of the table and a shape of the model."""
    if KINDS[type(rule)] != shape.type_name:
        yield f"{path}: {KINDS[type(rule)]} for {shape.type_name}"
        return
    yield from members(rule, shape, path)
    if isinstance(rule, (Text, Whole, Items, Pairs)) and path.rpartition(".")[2] not in BOUNDS_OF_ITS_OWN:
        yield from bounds(rule, shape, path)
    if isinstance(rule, Text):
        yield from texts(rule, shape, path)


def members(rule, shape, path):
    if isinstance(rule, Shape):
        yield from (f"{path}: no {name}" for name in set(shape.members) - set(rule.members) - set(LEFT_OUT))
        if set(rule.required) - STRICTER != set(shape.required_members) - STRICTER:
            yield f"{path}: requires {rule.required}, and the model {shape.required_members}"
        for name, member in rule.members.items():
            yield from differences(member, shape.members[name], f"{path}.{name}")
    elif isinstance(rule, Items):
        yield from differences(rule.member, shape.member, f"{path}[]")
    elif isinstance(rule, Pairs):
        yield from differences(rule.key, shape.key, f"{path}{{}}")
        yield from differences(rule.value, shape.value, f"{path}{{}}")


def texts(rule, shape, path):
    if set(rule.choices) != set(shape.enum):
        yield f"{path}: {rule.choices} for {shape.enum}"
    # The model of 2026 anchors its patterns; the messages of the service still quote them without anchors.
    pattern = shape.metadata.get("pattern", "").removeprefix("^").removesuffix("$")
    if pattern not in {rule.pattern, f"({rule.pattern})"}:
        yield f"{path}: {rule.pattern} for {pattern}"


def bounds(rule, shape, path):
    ours = (rule.minimum or None, rule.maximum)
    theirs = (shape.metadata.get("min") or None, shape.metadata.get("max"))
    if ours != theirs:
        yield f"{path}: {ours} for {theirs}"


def test_the_service_has_every_operation_of_the_model():
    assert set(MODEL.operation_names) - set(NO_OPERATION) == set(OPERATIONS)


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_a_request_has_the_shape_of_the_model(operation):
    shape = MODEL.operation_model(operation).input_shape
    assert list(differences(REQUESTS[operation], shape, operation)) == []
