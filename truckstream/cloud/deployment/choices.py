"""The choices of a deployment: the options that were given, and those that an earlier deployment was given.

CloudFormation keeps the values of parameters. The platform of the function, the bucket of its zip and the resources
that were left out of the template are choices, too: a later deployment that changes the memory must not change them.
Nothing in here calls AWS.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from truckstream.cloud.deployment.options import SET_BY_DEPLOY
from truckstream.cloud.package.build import PackageOptions
from truckstream.cloud.package.flink import FlinkPackageOptions
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from truckstream.cloud.deployment.cloudformation.stack import Stack
    from truckstream.cloud.deployment.options import DeployOptions
    from truckstream.cloud.package.archive import Archive

__all__ = ["LEFT_OUT", "Choices", "choose", "flags_for_successor", "given_parameters", "refuse_contradictions"]

#: The parameter in which a stack keeps the names of the resources that were left out of its template.
LEFT_OUT: Final = "LeftOut"
_NONE: Final = "none"

#: Setting, flag and parameter of each name that several commands share.
_NAMES: Final = (("stream_name", "--stream", "StreamName"), ("bucket_name", "--bucket", "BucketName"))

#: Parameters that `deploy` sets itself, that flags of their own set, or that follow from the data that is adopted.
_NOT_FOR_SUCCESSOR: Final = frozenset(
    {
        *SET_BY_DEPLOY,
        *("StreamName", "CreateStream", "StreamMode", "ShardCount", "RetentionHours", "StartingPosition"),
        *("BucketName", "ExistingBucketName", "ExistingKeyArns"),
    }
)


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices that are no plain parameters of the template."""

    #: The functions' zips by the parameter that names each one's key: CodeKey, and CompactionCodeKey if it is deployed.
    packages: Mapping[str, PackageOptions]
    #: The zip of FlinkCodeKey; None if there is no such application.
    flink_package: FlinkPackageOptions | None
    leave_out: tuple[str, ...]
    #: None for the bucket that is created when needed.
    artifact_bucket: str | None

    def parameters(self, options: DeployOptions, archives: Mapping[str, Archive], bucket: str) -> dict[str, str]:
        """Return the parameters in which the stack keeps these choices, and where its zips are."""
        kept = {"Scope": options.scope, LEFT_OUT: ",".join(self.leave_out) or _NONE}
        if not archives:
            return kept
        function = self.packages["CodeKey"]
        return {
            **kept,
            "CodeBucket": bucket,
            **{code_key: f"{options.stack}/{archive.digest}.zip" for code_key, archive in archives.items()},
            "Runtime": f"python{function.python}",
            "Architecture": function.architecture,
        }


def choose(options: DeployOptions, values: Mapping[str, str], resources: Collection[str]) -> Choices:
    """Return the choices of a deployment.

    Args:
        options: the options that were given.
        values: all parameters that the stack would have without these choices.
        resources: names of the template's resources. One that was left out and is no longer in it is forgotten.
    """
    left_out = tuple(name for name in _left_out(values) if name in resources)
    bucket = values["CodeBucket"]
    return Choices(
        _packages(options, values),
        FlinkPackageOptions(options.connector) if values["CreateFlink"] == "true" else None,
        left_out if options.leave_out is None else options.leave_out,
        options.artifact_bucket or (bucket if bucket != _NONE else None),
    )


def _packages(options: DeployOptions, values: Mapping[str, str]) -> dict[str, PackageOptions]:
    """Return the functions' zips by the parameter that names each one's key."""
    if options.scope == "STORAGE":
        return {}
    function = PackageOptions(
        options.architecture or values["Architecture"],  # type: ignore[arg-type]
        options.python or values["Runtime"].removeprefix("python"),
        options.include,
        values["Format"],
        values["Compression"],
    )
    if values["CreateCompaction"] == "false":
        return {"CodeKey": function}
    return {"CodeKey": function, "CompactionCodeKey": replace(function, function="compaction")}


def given_parameters(options: DeployOptions, stack: Stack | None, previous: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters to set; CloudFormation keeps the values of all others.

    `previous` are the stack's parameters. Without a stack they are those of one whose creation failed: its successor
    gets the same.
    """
    return dict(options.parameters) if stack else {**previous, **options.new_stack_parameters, **options.parameters}


def flags_for_successor(stack: Stack, defaults: Mapping[str, str]) -> list[str]:
    """Return the flags of `deploy` with which a new stack adopts the data of this one and has its choices.

    Args:
        stack: the stack that is destroyed.
        defaults: the defaults of the template's parameters.
    """
    parameters = stack.parameters
    flags = ["--adopt"]
    for _, flag, parameter in _NAMES:
        flags += [flag, name] if (name := stack.outputs.get(parameter)) else []
    for flag, parameter in (("--architecture", "Architecture"), ("--python", "Runtime")):
        if parameters.get(parameter, defaults[parameter]) != defaults[parameter]:
            flags += [flag, parameters[parameter].removeprefix("python")]
    for name, value in sorted(parameters.items()):
        if name in defaults and name not in _NOT_FOR_SUCCESSOR and value != defaults[name]:
            flags += ["--parameter", f"{name}={value}"]
    return [*flags, *(word for name in _left_out(parameters) for word in ("--leave-out", name))]


def _left_out(parameters: Mapping[str, str]) -> list[str]:
    """Return the names of the resources that were left out of a stack with these parameters."""
    return [name for name in parameters.get(LEFT_OUT, _NONE).split(",") if name != _NONE]


def refuse_contradictions(options: DeployOptions, stack: Stack) -> None:
    """Raise if a setting names another stream or bucket than the stack has.

    Following it would replace the stream and leave its records behind, and ignoring it would send the records of the
    other commands elsewhere.
    """
    for setting, flag, parameter in _NAMES:
        wanted, has = options.new_stack_parameters.get(parameter), stack.outputs.get(parameter)
        if wanted and has and wanted != has and parameter not in options.parameters:
            hint = f"Set it to {has}, or pass {flag} to choose one of them."
            raise ConfigurationError(setting, f"is {wanted!r}, but the stack {stack.name} has {has!r}", hint)
