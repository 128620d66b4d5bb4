"""The pipeline on AWS: packaged, deployed, watched, scaled and removed. README.md beside this file is its page.

    async with Account(region_name="us-east-1") as account:
        done = await deploy(account, DeployOptions(parameters={"ShardCount": "2"}))
        print(done.outputs["StreamName"])

The public names load when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.cloud.account import Account as Account
    from truckstream.cloud.archive import Archive as Archive
    from truckstream.cloud.deployment import Deployment as Deployment
    from truckstream.cloud.deployment import DeployOptions as DeployOptions
    from truckstream.cloud.deployment import deploy as deploy
    from truckstream.cloud.destruction import Destruction as Destruction
    from truckstream.cloud.destruction import destroy as destroy
    from truckstream.cloud.doctor import Diagnosis as Diagnosis
    from truckstream.cloud.doctor import diagnose as diagnose
    from truckstream.cloud.package import PackageOptions as PackageOptions
    from truckstream.cloud.package import build_package as build_package
    from truckstream.cloud.policies import Scope as Scope
    from truckstream.cloud.policies import deploy_policies as deploy_policies
    from truckstream.cloud.policies import watch_policies as watch_policies
    from truckstream.cloud.scaling import Scaling as Scaling
    from truckstream.cloud.scaling import scale as scale
    from truckstream.cloud.status import Status as Status
    from truckstream.cloud.status import read_status as read_status

_HOMES = {
    "Account": "account",
    "Archive": "archive",
    "DeployOptions": "deployment",
    "Deployment": "deployment",
    "Destruction": "destruction",
    "Diagnosis": "doctor",
    "PackageOptions": "package",
    "Scaling": "scaling",
    "Scope": "policies",
    "Status": "status",
    "build_package": "package",
    "deploy": "deployment",
    "deploy_policies": "policies",
    "destroy": "destruction",
    "diagnose": "doctor",
    "read_status": "status",
    "scale": "scaling",
    "watch_policies": "policies",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'truckstream.cloud' has no attribute {name!r}")
    return getattr(import_module(f"truckstream.cloud.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
