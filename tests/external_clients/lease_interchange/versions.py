"""The versions of the Kinesis Client Library that share a table with the Consumer."""

from __future__ import annotations

from typing import Final

from tests.external_clients.kcl_worker import java_with_sdk
from tests.external_clients.lease_interchange.maven import Artifact, jars_with

#: The newest version that a wheel contains, and the newest one of Maven Central.
VERSIONS: Final = ("3.1.3", "3.5.1")
#: The serializer of the Glue Schema Registry has forty dependencies that nobody needs here.
FROM_MAVEN: Final = (
    Artifact(
        "software.amazon.kinesis", "amazon-kinesis-client", "3.5.1", ("software.amazon.glue:schema-registry-serde",)
    ),
    Artifact("software.amazon.glue", "schema-registry-serde", "1.1.27", ("*:*",)),
    Artifact("org.slf4j", "slf4j-simple", "2.0.13"),
)


def java_of(version: str) -> list[str]:
    """Return the command that runs a Java program with a version of the library."""
    command = java_with_sdk()
    return command if version == "3.1.3" else [*command[:-1], f"{jars_with(*FROM_MAVEN)}/*"]
