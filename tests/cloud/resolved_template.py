"""lambda_entry/template.yaml with its intrinsic functions evaluated, as CloudFormation does when it creates a stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.cloud.parsed_template import PARAMETERS, RESOURCES, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "000000000000"
REGION = "us-east-1"

#: Attributes and references of resources whose form matters to a test; those of others are the resource's name.
_ARNS = {
    "Bucket.Arn": "arn:aws:s3:::{Bucket}",
    "FailedBucket.Arn": "arn:aws:s3:::{FailedBucket}",
    "Stream.Arn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{{StreamName}}",
    "Key.Arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "LogGroup.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{{AWS::StackName}}:*",
    "FlinkLogGroup.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{{AWS::StackName}}/flink:*",
    "CompactionLogGroup.Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{{AWS::StackName}}/compaction:*",
}


def references(stack: str = "Acme", **values: Any) -> dict[str, Any]:
    """Return the values of names, attributes and conditions in a stack.

    `values` sets parameters, the names of resources, and conditions; others have their defaults.
    """
    found: dict[str, Any] = {name: parameter["Default"] for name, parameter in PARAMETERS.items()}
    found |= {name: name for name in RESOURCES}
    found |= {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/{sum(stack.encode()):08x}-4f0e-9c3b",
    }
    found |= {name: value for name, value in values.items() if name not in TEMPLATE["Conditions"]}
    found |= {name: re.sub(r"\{([^}]+)\}", lambda match: found[match[1]], arn) for name, arn in _ARNS.items()}
    for name, condition in TEMPLATE["Conditions"].items():
        found[name] = values.get(name, resolved(condition, found))
    return found


def properties_of(name: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a resource with these references."""
    found: dict[str, Any] = resolved(RESOURCES[name]["Properties"], names)
    return found


def created(names: Mapping[str, Any]) -> dict[str, str]:
    """Return the type of each resource that a stack with these references has."""
    return {
        name: resource["Type"] for name, resource in RESOURCES.items() if names.get(resource.get("Condition"), True)
    }


def resolved(value: Any, names: Mapping[str, Any]) -> Any:
    """Return a value of the template with its intrinsic functions evaluated; None if a condition removes it."""
    if isinstance(value, list):
        return [found for each in value if (found := resolved(each, names)) is not None]
    if not isinstance(value, dict):
        return value
    [(name, argument), *more] = value.items()
    if not more and name in _INTRINSIC:
        return _INTRINSIC[name](argument, names)
    return {name: found for name, each in value.items() if (found := resolved(each, names)) is not None}


def _if(argument: Any, names: Mapping[str, Any]) -> Any:
    condition, yes, no = argument
    return resolved(yes if names[condition] else no, names)


def _substitute(argument: Any, names: Mapping[str, Any]) -> str:
    text, more = argument if isinstance(argument, list) else (argument, {})
    known = {**names, **{name: resolved(each, names) for name, each in more.items()}}
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(known[match[1]]), text)


def _find_in_map(argument: Any, names: Mapping[str, Any]) -> Any:
    table, row, column = resolved(argument, names)
    return TEMPLATE["Mappings"][table][str(row)][column]


def _equals(argument: Any, names: Mapping[str, Any]) -> bool:
    left, right = (str(resolved(each, names)) for each in argument)
    return left == right


def _select(argument: Any, names: Mapping[str, Any]) -> Any:
    index, items = argument
    return resolved(items, names)[int(index)]


def _split(argument: Any, names: Mapping[str, Any]) -> list[str]:
    separator, text = argument
    parts: list[str] = resolved(text, names).split(separator)
    return parts


_INTRINSIC = {
    "Ref": lambda name, names: names.get(name),
    "Condition": lambda name, names: names[name],
    "Fn::GetAtt": lambda path, names: names.get(".".join(path), ".".join(path)),
    "Fn::If": _if,
    "Fn::Sub": _substitute,
    "Fn::FindInMap": _find_in_map,
    "Fn::Equals": _equals,
    "Fn::Not": lambda argument, names: not resolved(argument[0], names),
    "Fn::And": lambda argument, names: all(resolved(each, names) for each in argument),
    "Fn::Or": lambda argument, names: any(resolved(each, names) for each in argument),
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Join": lambda argument, names: argument[0].join(resolved(argument[1], names)),
}
