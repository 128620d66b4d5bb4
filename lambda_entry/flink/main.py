"""The program of the Managed Flink application: fill the settings into windows.sql, and run its statements.

Managed Flink brings Flink and its Python API. The settings are the property group `truckstream` of the application:

    stream_arn    the stream that is read
    region        its region
    position      where reading begins the first time: LATEST or TRIM_HORIZON
    path          the folder of the results, such as s3a://bucket/stream_windows/
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["main", "read_settings", "statements"]

#: Where Managed Flink puts the properties of the application.
PROPERTIES: Final = Path("/etc/flink/application_properties.json")
GROUP: Final = "truckstream"

# PyFlink runs a link to this file, in another folder.
_SQL: Final = Path(__file__).resolve().with_name("windows.sql")


def main(tables: Any, properties: Path = PROPERTIES) -> None:
    """Run the statements in a table environment of PyFlink. The last one starts the job and returns."""
    for statement in statements(_SQL.read_text(encoding="utf-8"), read_settings(properties)):
        if option := re.fullmatch(r"SET '(.+)' = '(.+)'", statement):
            tables.get_config().set(*option.groups())
        else:
            tables.execute_sql(statement)


def read_settings(properties: Path) -> dict[str, str]:
    """Return the property group of this program."""
    groups = json.loads(properties.read_text(encoding="utf-8"))
    [settings] = (group["PropertyMap"] for group in groups if group["PropertyGroupId"] == GROUP)
    return dict(settings)


def statements(sql: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Yield the statements of a file of SQL without its comments, which are whole lines.

    Raises:
        KeyError: names a setting that is missing.
    """
    lines = (line for line in sql.splitlines() if not line.startswith("--"))
    for statement in "\n".join(lines).split(";\n"):
        if statement.strip():
            yield Template(statement.strip().removesuffix(";")).substitute(settings)


if __name__ == "__main__":
    from pyflink.table import EnvironmentSettings, TableEnvironment  # type: ignore[import-not-found]

    main(TableEnvironment.create(EnvironmentSettings.in_streaming_mode()))
