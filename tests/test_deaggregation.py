"""How many user records a Kinesis record can hold at most, without taking it apart."""

from hashlib import md5
from struct import pack_into

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.deaggregation import deaggregate, most_user_records
from truckstream.envelope import Envelope
from truckstream.errors import BrokenEnvelopeError
from truckstream.kpl import MAGIC, Aggregate


def encoded(kind, contents):
    aggregate = kind()
    for data, key in contents:
        assert aggregate.add(data, key)
    return aggregate.encode()


@given(
    st.sampled_from([Aggregate, Envelope]),
    st.lists(st.tuples(st.binary(max_size=300), st.text(min_size=1, max_size=9)), min_size=1, max_size=40),
)
def test_no_more_records_and_bytes_come_out_than_were_announced(kind, contents):
    data = encoded(kind, contents)
    records, size = most_user_records(data)
    found = deaggregate(data)
    assert records >= len(found)
    assert size >= sum(len(each.data) for each in found)


@pytest.mark.parametrize("kind", [Aggregate, Envelope])
def test_the_number_of_records_of_text_is_known(kind):
    data = encoded(kind, [(b'{"celsius": 21}', "TRUCK_001")] * 700)
    assert most_user_records(data)[0] == 700


def test_tags_of_the_kpl_may_take_more_bytes_than_they_need():
    """So that counting their shortest form would miss the records."""
    message = b"\x0a\x01k" + b"\x9a\x00\x05\x08\x00\x9a\x00\x00" * 500
    data = MAGIC + message + md5(message).digest()
    assert len(deaggregate(data)) == 500
    assert most_user_records(data)[0] >= 500


def test_a_plain_record_is_one_record():
    assert most_user_records(b'{"celsius": 21}') == (1, 15)


@pytest.mark.parametrize(("offset", "number"), [(14, 2**32 - 1), (26, 2**32 - 1), (14, 0)])
def test_a_header_that_states_what_no_envelope_may_have_announces_one_broken_record(offset, number):
    data = bytearray(encoded(Envelope, [(b"x", "k")]))
    pack_into("<I", data, offset, number)
    with pytest.raises(BrokenEnvelopeError):
        deaggregate(bytes(data))
    assert most_user_records(bytes(data)) == (1, len(data))


def test_an_envelope_that_ends_in_its_header_announces_one_broken_record():
    assert most_user_records(encoded(Envelope, [(b"x", "k")])[:20]) == (1, 20)
