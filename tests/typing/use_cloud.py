"""Deploy, watch, scale and remove the pipeline from Python."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_type

from truckstream.cloud import (
    Account,
    Archive,
    Deployment,
    DeployOptions,
    Destruction,
    Diagnosis,
    PackageOptions,
    Scaling,
    Scope,
    Status,
    build_package,
    deploy,
    deploy_policies,
    destroy,
    diagnose,
    read_status,
    scale,
    watch_policies,
)


async def agree(plan: object) -> bool:
    return plan is not None


async def operate() -> None:
    now = datetime.now(UTC)
    async with Account(region_name="us-east-1") as account:
        options = DeployOptions(parameters={"ShardCount": "2"}, architecture="x86_64", python="3.11")
        deployment = await deploy(account, options, confirm=agree, on_event=print)
        assert_type(deployment, Deployment)
        assert_type(deployment.outputs, Mapping[str, str])
        assert_type(await read_status(account, "truckstream", now=now), Status)
        assert_type(await diagnose(account, "truckstream", now=now), Diagnosis)
        assert_type(await scale(account, "truckstream", now=now, apply=agree), Scaling)
        assert_type(await destroy(account, "truckstream", confirm=agree, delete_data=True), Destruction)


async def package() -> None:
    archive = await build_package()
    assert_type(archive, Archive)
    assert_type(archive.content, bytes)
    scope = Scope("123456789012", "us-east-1", bucket="trucks")
    assert_type(deploy_policies(scope, vpc=True), tuple[dict[str, Any], ...])
    assert_type(watch_policies(scope), tuple[dict[str, Any], ...])


async def wrong_uses(account: Account, options: DeployOptions) -> None:
    Account("us-east-1")  # type: ignore[call-arg]
    DeployOptions(scope="ALL")  # type: ignore[arg-type]
    PackageOptions("mips")  # type: ignore[arg-type]
    options.stack = "other"  # type: ignore[misc]
    await deploy(account)  # type: ignore[call-arg]
    await deploy(account, options, confirm=print)  # type: ignore[arg-type]
    await read_status(account, "truckstream")  # type: ignore[call-arg]
    await build_package("arm64")  # type: ignore[arg-type]
