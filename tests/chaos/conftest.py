import pytest


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--chaos-seeds")
        metafunc.parametrize("seed", [int(seed) for seed in chosen.split(",")])


@pytest.fixture
def records(pytestconfig):
    """How many records a history has."""
    return pytestconfig.getoption("--chaos-records")


@pytest.fixture
def histories(pytestconfig):
    """How many histories a seed has, of deliveries to the batcher."""
    return pytestconfig.getoption("--chaos-histories")


@pytest.fixture
def bad_inputs_wanted(pytestconfig):
    """How many records that no truck would send are tried."""
    return pytestconfig.getoption("--bad-inputs")
