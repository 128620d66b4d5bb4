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
    from truckstream.cloud.aws_account import Account as Account
    from truckstream.cloud.deployment.cloudformation.change_set import Deployment as Deployment
    from truckstream.cloud.deployment.deploy import DeployOptions as DeployOptions
    from truckstream.cloud.deployment.deploy import deploy as deploy
    from truckstream.cloud.deployment.destroy import Destruction as Destruction
    from truckstream.cloud.deployment.destroy import destroy as destroy
    from truckstream.cloud.package.archive import Archive as Archive
    from truckstream.cloud.package.build import PackageOptions as PackageOptions
    from truckstream.cloud.package.build import build_package as build_package
    from truckstream.cloud.policies import Scope as Scope
    from truckstream.cloud.policies import deploy_policies as deploy_policies
    from truckstream.cloud.policies import watch_policies as watch_policies
    from truckstream.cloud.watch.doctor import Diagnosis as Diagnosis
    from truckstream.cloud.watch.doctor import diagnose as diagnose
    from truckstream.cloud.watch.scaling import Scaling as Scaling
    from truckstream.cloud.watch.scaling import scale as scale
    from truckstream.cloud.watch.status import read_status as read_status
    from truckstream.cloud.watch.status_page import Status as Status

_MODULES = {
    "Account": "aws_account",
    "Archive": "package.archive",
    "DeployOptions": "deployment.deploy",
    "Deployment": "deployment.cloudformation.change_set",
    "Destruction": "deployment.destroy",
    "Diagnosis": "watch.doctor",
    "PackageOptions": "package.build",
    "Scaling": "watch.scaling",
    "Scope": "policies",
    "Status": "watch.status_page",
    "build_package": "package.build",
    "deploy": "deployment.deploy",
    "deploy_policies": "policies",
    "destroy": "deployment.destroy",
    "diagnose": "watch.doctor",
    "read_status": "watch.status",
    "scale": "watch.scaling",
    "watch_policies": "policies",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'truckstream.cloud' has no attribute {name!r}")
    return getattr(import_module(f"truckstream.cloud.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
