"""PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy. A policy is stored, but not enforced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.local.service.errors import RefusedError, invalid

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount

__all__ = ["delete_resource_policy", "get_resource_policy", "put_resource_policy"]

#: "It must include the identity of the principal and the actions allowed on this resource."
_MUST_HAVE: Final = ("Effect", "Principal", "Action")


def put_resource_policy(account: KinesisAccount, request: Request, now: float) -> Response:
    resource = account.resource(request["ResourceARN"], now)
    _check(request["Policy"])
    resource.policy = request["Policy"]
    return None


def get_resource_policy(account: KinesisAccount, request: Request, now: float) -> Response:
    policy = account.resource(request["ResourceARN"], now).policy
    if policy is None:
        raise _no_policy(request["ResourceARN"])
    return {"Policy": policy}


def delete_resource_policy(account: KinesisAccount, request: Request, now: float) -> Response:
    resource = account.resource(request["ResourceARN"], now)
    if resource.policy is None:
        raise _no_policy(request["ResourceARN"])
    resource.policy = None
    return None


def _check(policy: str) -> None:
    try:
        document = msgspec.json.decode(policy)
    except (msgspec.DecodeError, RecursionError) as error:  # the second one for nested lists
        raise invalid(f"The policy is not JSON: {error}") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):  # IAM takes one statement without a list around it
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise invalid("The policy has no Statement.")
    for statement in statements:
        for name in _MUST_HAVE:
            if not isinstance(statement, dict) or name not in statement:
                raise invalid(f"A Statement of the policy has no {name}.")


def _no_policy(arn: str) -> RefusedError:
    return RefusedError("ResourceNotFoundException", f"No policy is attached to {arn}.")
