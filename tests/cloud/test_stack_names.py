"""One rule for the names of stacks, wherever one is given: nothing is called with a name that breaks it."""

from datetime import UTC, datetime

import pytest

from tests import virtual_time
from tests.cloud.scripted_aws import ScriptedAws
from truckstream.cloud import DeployOptions, Scope, deploy, destroy, diagnose, read_status, scale
from truckstream.errors import InvalidArgumentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def make_options(aws, name):
    await deploy(aws, DeployOptions(name))


async def make_policies(_, name):
    Scope("123456789012", "us-east-1", stack=name)


FUNCTIONS = {
    "deploy": make_options,
    "destroy": destroy,
    "status": lambda aws, name: read_status(aws, name, now=NOW),
    "doctor": lambda aws, name: diagnose(aws, name, now=NOW),
    "scale": lambda aws, name: scale(aws, name, now=NOW),
    "policies": make_policies,
}
INVALID = ("", "1acme", "ac_me", "a b", "$(touch PWNED)", "*", "acme*", "a" * 65, "acme/x", "acme\n", "ä")


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_name_that_breaks_the_rule_is_an_error_before_any_call(function, name):
    aws = ScriptedAws({})
    with pytest.raises(InvalidArgumentError) as error:
        virtual_time.run(FUNCTIONS[function](aws, name))
    assert (error.value.argument, error.value.value) == ("stack", name)
    assert error.value.rule == "must be 1 to 64 letters, digits and hyphens, and begin with a letter"
    assert aws.calls == []


@pytest.mark.parametrize("name", ["a", "acme", "Acme-2", "a" * 64])
def test_valid_names_are_accepted(name):
    assert DeployOptions(name).stack == Scope("123456789012", "us-east-1", stack=name).stack == name
