from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.producer.support import even_shards
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make_core() -> Callable[..., ProducerCore]:
    def make(shards: int = 1, now: float = 0.0, **options: Any) -> ProducerCore:
        defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
        core = ProducerCore(ProducerOptions(**defaults | options), Random(1))
        core.on_shards(even_shards(shards), now)
        return core

    return make
