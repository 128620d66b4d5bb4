"""The options of a deployment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from truckstream.cloud.deployment.cloudformation.stack import check_stack_name
from truckstream.cloud.deployment.template.template_text import parameters_of, read_template
from truckstream.cloud.package.build import PackageOptions
from truckstream.cloud.package.flink import FlinkPackageOptions
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from truckstream.cloud.package.build import Architecture

__all__ = ["SET_BY_DEPLOY", "DeployOptions"]

#: Parameters that a deployment sets itself, and how to choose their values.
SET_BY_DEPLOY: Final = {
    "Scope": "use scope",
    "Architecture": "use architecture",
    "Runtime": "use python",
    "CodeBucket": "use artifact_bucket",
    "CodeKey": "it follows from the contents of the zip",
    "CompactionCodeKey": "it follows from the contents of the zip",
    "FlinkCodeKey": "it follows from the contents of the zip",
}


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Options of a deployment. What is None keeps the choice of the stack, or has its default in a new stack.

    Args:
        stack: name of the stack, and of the function.
        scope: "STORAGE" for stream and bucket, "PIPELINE" for everything.
        parameters: values by the name of the template's parameters; others keep their value or their default.
        new_stack_parameters: as `parameters`, but only for a new stack, such as names from `.env`. A StreamName or a
            BucketName that an existing stack does not have is an error, because following it would replace its data.
        architecture: processor of the function; by default arm64.
        python: Python version of the function; by default 3.13.
        artifact_bucket: bucket for the zips, and for the template until CloudFormation has read it; by default
            truckstream-artifacts-{account}-{region}, which is created when needed.
        leave_out: names of resources to leave out of the template; () for none.
        adopt: use the stream and the bucket of these names if they exist already outside the stack.
        dry_run: create and show the plan, and change nothing.
        include: your own modules for the zip, such as the one that the parameter Schema names: Python files, or folders
            of packages. A stack keeps its schema, but not the files: pass them to each deployment.
        connector: with CreateFlink=true, the jar of Flink's connector; None to fetch it from Maven Central.

    Raises:
        InvalidArgumentError: the stack's name breaks a rule, the template has no such parameter, Lambda does not have
            this platform, a module cannot be included, or there is no such jar.
    """

    stack: str = "truckstream"
    scope: Literal["STORAGE", "PIPELINE"] = "PIPELINE"
    parameters: Mapping[str, str] = field(default_factory=dict)
    new_stack_parameters: Mapping[str, str] = field(default_factory=dict)
    architecture: Architecture | None = None
    python: str | None = None
    artifact_bucket: str | None = None
    leave_out: tuple[str, ...] | None = None
    adopt: bool = False
    dry_run: bool = False
    include: tuple[Path, ...] = ()
    connector: Path | None = None

    def __post_init__(self) -> None:
        check_stack_name(self.stack)
        known = parameters_of(read_template())
        for name in (*self.parameters, *self.new_stack_parameters):
            if name not in known:
                raise InvalidArgumentError("parameter", name, f"must be one of {', '.join(known)}")
            if name in SET_BY_DEPLOY:
                raise InvalidArgumentError("parameter", name, f"is set by deploy; {SET_BY_DEPLOY[name]}")
        default = PackageOptions()
        PackageOptions(self.architecture or default.architecture, self.python or default.python, self.include)
        FlinkPackageOptions(self.connector)
