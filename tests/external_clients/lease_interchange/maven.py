"""Install Java libraries from Maven Central, as `installation` does for Python and npm."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.external_clients.installation import CannotInstallError, cached, tool

if TYPE_CHECKING:
    from pathlib import Path

#: The time limit of one installation. The first one downloads Maven's own plugins, too.
SECONDS: Final = 240
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class Artifact(NamedTuple):
    """A library, without the dependencies named in `without` (`group:artifact`, or `*:*` for all)."""

    group: str
    name: str
    version: str
    without: tuple[str, ...] = ()

    @property
    def xml(self) -> str:
        """The dependency in a pom.xml."""
        return _element(
            "dependency",
            _element("groupId", self.group),
            _element("artifactId", self.name),
            _element("version", self.version),
            _element("exclusions", *map(_exclusion, self.without)),
        )


def jars_with(*artifacts: Artifact) -> Path:
    """Return the folder that has these libraries and their dependencies.

    Raises:
        CannotInstallError: there is no Maven, or it cannot download them.
    """

    def install(folder: Path) -> None:
        (folder / "pom.xml").write_text(
            _element(
                "project",
                _element("modelVersion", "4.0.0"),
                _element("groupId", "tests"),
                _element("artifactId", "jars"),
                _element("version", "1"),
                _element("packaging", "pom"),
                _element("dependencies", *(artifact.xml for artifact in artifacts)),
            )
        )
        command = [tool("mvn"), "-B", "-q", _COPY, "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"]
        try:
            answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise CannotInstallError(f"mvn took more than {SECONDS} s") from None
        if answer.returncode:
            raise CannotInstallError(f"mvn failed: {answer.stdout.strip()[:500]}")

    return cached("maven", [f"{artifacts[0].name}=", *map(str, artifacts)], install) / "jars"


def _element(name: str, *contents: str) -> str:
    return f"<{name}>{''.join(contents)}</{name}>"


def _exclusion(dependency: str) -> str:
    group, _, name = dependency.partition(":")
    return _element("exclusion", _element("groupId", group), _element("artifactId", name))
