from random import Random

import pytest

from tests.producer.support import even_shards
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions


@pytest.fixture
def make_core():
    def make(shards=1, now=0.0, **options):
        defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
        core = ProducerCore(ProducerOptions(**defaults | options), Random(1))
        core.on_shards(even_shards(shards), now)
        return core

    return make
