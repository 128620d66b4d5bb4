"""Randomness whose seed is shown when a test fails."""

from __future__ import annotations

import logging
import os
import random

import pytest


@pytest.fixture
def chance() -> random.Random:
    """A generator with a new seed each time; REPLAY_SEED=4711 plays that seed again."""
    seed = int(os.environ.get("REPLAY_SEED") or random.randrange(10**6))
    logging.getLogger("tests.data.replay").warning("REPLAY_SEED=%d", seed)
    return random.Random(seed)
