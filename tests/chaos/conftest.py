"""The chaos tests' fixtures: their seeds and their sizes, from options of pytest."""

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--chaos-seeds")
        metafunc.parametrize("seed", [int(seed) for seed in chosen.split(",")])


@pytest.fixture
def records(pytestconfig: pytest.Config) -> int:
    """The number of records that a producer puts."""
    return pytestconfig.getoption("--chaos-records")


@pytest.fixture
def histories(pytestconfig: pytest.Config) -> int:
    """The number of histories of deliveries that are made from a seed."""
    return pytestconfig.getoption("--chaos-histories")


@pytest.fixture
def bad_inputs_wanted(pytestconfig: pytest.Config) -> int:
    """The number of records that no truck would send."""
    return pytestconfig.getoption("--bad-inputs")
