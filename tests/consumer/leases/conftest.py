"""The seeds and the number of simulated histories, from the options of the chaos tests."""

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--chaos-seeds")
        metafunc.parametrize("seed", [int(seed) for seed in chosen.split(",")])


@pytest.fixture
def histories(pytestconfig: pytest.Config) -> int:
    """The number of histories that are made from a seed."""
    return pytestconfig.getoption("--chaos-histories")
