"""Read the settings of the function's alerts from environment variables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lambda_entry.settings import read_store_url
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.alerts.function.function_alerts import FunctionAlerts

__all__ = ["read_alerts"]


def read_alerts(environment: Mapping[str, str]) -> FunctionAlerts | None:
    """Return the alerts that the environment describes; None if ALERT_RULES is not set.

    Raises:
        ConfigurationError: names the setting and how to set it.
    """
    given = {name: value for name, value in environment.items() if value}
    if "ALERT_RULES" not in given:
        return None
    # Not loaded by a function without alerts.
    from truckstream.alerts.function.function_alerts import FunctionAlerts  # noqa: PLC0415
    from truckstream.alerts.function.function_rules import function_rules  # noqa: PLC0415
    from truckstream.alerts.function.lambda_topic import LambdaTopic  # noqa: PLC0415
    from truckstream.alerts.shard.state_store import AlertStateStore  # noqa: PLC0415

    rules = function_rules(_rules_text(given["ALERT_RULES"]), f"ALERT_RULES {given['ALERT_RULES']}")
    region = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    states = AlertStateStore(f"{read_store_url(given).rstrip('/')}/alerts", region_name=region)
    topic = given.get("ALERT_TOPIC")
    return FunctionAlerts(rules, states, LambdaTopic(topic) if topic else None)


def _rules_text(value: str) -> str | None:
    """Return the text that a setting names; None for the default rules."""
    if value == "default":
        return None
    module, _, name = value.partition(":")
    try:
        text = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "Set it to default, or to module:name of a text with rules in the function's package."
        raise ConfigurationError("ALERT_RULES", f"is {value!r}, and {error}", hint) from error
    if not isinstance(text, str):
        raise ConfigurationError("ALERT_RULES", f"is {value!r}, which is {text!r}", "It must be a text with rules.")
    return text
