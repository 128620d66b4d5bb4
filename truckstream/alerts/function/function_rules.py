"""Which rules work inside the Lambda function.

The function runs when records come. So it cannot find that none come: silence needs the clock of a consumer that has
read everything. All other kinds follow from the records, and from the state that the calls of a shard hand on.
"""

from __future__ import annotations

from truckstream.alerts.rules.rule import SilenceRule
from truckstream.alerts.rules.rule_set import RuleSet
from truckstream.alerts.rules.rules_file import default_rules, read_rules
from truckstream.errors import ConfigurationError

__all__ = ["function_rules"]


def function_rules(text: str | None, name: str) -> RuleSet:
    """Return the rules of a text; None stands for the default rules that work in the function.

    Args:
        text: the rules in TOML.
        name: where the text comes from, for errors.

    Raises:
        ConfigurationError: a rule is wrong, or does not work in the function.
    """
    if text is None:
        rules = default_rules()
        kept = tuple(rule for rule in rules.rules if not isinstance(rule, SilenceRule))
        return RuleSet(rules=kept, forget=rules.forget)
    rules = read_rules(text, name)
    for rule in rules.rules:
        if isinstance(rule, SilenceRule):
            raise ConfigurationError(
                f"{name}: rule {rule.name!r}",
                "has the kind silence, and the function runs only when records come, so that it cannot find silence",
                "Remove the rule here, and run `truckstream alerts` with it.",
            )
    return rules
