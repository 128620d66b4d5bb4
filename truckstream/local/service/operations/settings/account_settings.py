"""DescribeAccountSettings and UpdateAccountSettings: the minimum throughput billing commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount

__all__ = ["describe_account_settings", "update_account_settings"]


def describe_account_settings(account: KinesisAccount, request: Request, now: float) -> Response:  # noqa: ARG001 - no members
    return {"MinimumThroughputBillingCommitment": account.commitment.describe(now)}


def update_account_settings(account: KinesisAccount, request: Request, now: float) -> Response:
    if request["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED":
        account.commitment.enable(now)
    else:
        account.commitment.disable(now)
    return describe_account_settings(account, request, now)
