"""The account finds what is lost, doubled, misplaced or foreign; it could not be trusted otherwise."""

from truckstream.demo.ledger import Ledger, StoredLine
from truckstream.errors import DeliveryTimeoutError, DeliveryUnknownError
from truckstream.kinesis.client import RecordResponse
from truckstream.producer.outcomes.delivery import Delivery


def delivery(sequence=1, error=None):
    made = Delivery(b"", b"", "key", None, size=3, outbox=None)
    made.answer = RecordResponse(shard_id="shardId-000000000000", sequence_number=str(sequence)) if not error else None
    made.error = error
    return made


def ledger_of(*records, reason=None):
    """A ledger of acknowledged records, put at time 100."""
    ledger = Ledger()
    for sequence, data in enumerate(records, start=1):
        ledger.put(data, "key", reason, delivery(sequence), 100.0)
    ledger.settle()
    return ledger


def found(*records, reason=None):
    return [StoredLine(data, 101.5, reason) for data in records]


def test_a_clean_run_balances():
    audit = ledger_of(b"a", b"b").audit(found(b"b", b"a"))
    assert (audit.stored, audit.rejected, audit.lost, audit.duplicated, audit.misjudged, audit.foreign) == (
        2,
        0,
        0,
        0,
        0,
        0,
    )
    assert audit.latencies == [1.5, 1.5]


def test_an_acknowledged_record_in_no_object_is_lost():
    assert ledger_of(b"a", b"b").audit(found(b"a")).lost == 1


def test_a_record_in_two_objects_is_duplicated():
    assert ledger_of(b"a").audit(found(b"a", b"a")).duplicated == 1


def test_two_reports_with_the_same_bytes_are_two_records():
    ledger = ledger_of(b"a", b"a", b"a")
    audit = ledger.audit(found(b"a", b"a"))
    assert (audit.lost, audit.duplicated) == (1, 0)


def test_a_record_that_nobody_put_is_foreign():
    assert ledger_of(b"a").audit(found(b"a", b"b")).foreign == 1


def test_a_record_in_the_wrong_place_is_misjudged():
    assert ledger_of(b"a").audit(found(b"a", reason="out_of_range")).misjudged == 1
    assert ledger_of(b"a", reason="out_of_range").audit(found(b"a")).misjudged == 1
    assert ledger_of(b"a", reason="out_of_range").audit(found(b"a", reason="wrong_type")).misjudged == 1
    assert ledger_of(b"a", reason="out_of_range").audit(found(b"a", reason="out_of_range")).misjudged == 0


def test_a_failed_record_is_not_lost_and_a_doubtful_one_may_be_stored():
    for error, duplicated in (
        (DeliveryTimeoutError("late", attempts=1), 1),
        (DeliveryUnknownError("closed", attempts=1, may_be_stored=True), 0),
    ):
        ledger = Ledger()
        ledger.put(b"a", "key", None, delivery(error=error), 100.0)
        ledger.settle()
        assert (ledger.failed, ledger.acked) == (1, 0)
        audit = ledger.audit(found(b"a"))
        assert (audit.lost, audit.duplicated) == (0, duplicated)


def test_sequence_numbers_that_fall_within_a_key_are_out_of_order():
    ledger = Ledger()
    for key, sequence in (("a", 5), ("b", 9), ("a", 10), ("b", 2), ("a", 100), ("a", 99)):
        ledger.put(b"", key, None, delivery(sequence), 100.0)
    ledger.settle()
    assert ledger.out_of_order == 2


def test_outcomes_are_written_down_when_they_come():
    ledger, late = Ledger(), delivery()
    late.answer = None
    ledger.put(b"a", "key", None, late, 100.0)
    ledger.settle()
    assert ledger.acked == 0
    late.answer = RecordResponse(shard_id="s", sequence_number="1")
    ledger.settle()
    assert ledger.acked == 1
    assert ledger.put_at(b"a") == 100.0
    assert ledger.put_at(b"b") is None
