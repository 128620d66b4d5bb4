"""The audit finds records that are lost, duplicated, misjudged or foreign."""

from truckstream.demo.accounting.record_tracker import ObjectRecord, RecordTracker
from truckstream.errors import DeliveryTimeoutError, DeliveryUnknownError
from truckstream.kinesis.client import RecordResponse
from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.queueing.outbox import Failure


def delivery(sequence=1, error=None):
    made = Delivery(b"", b"", "key", None, size=3, cost=503, outbox=None)
    made.response = (
        RecordResponse(shard_id="shardId-000000000000", sequence_number=str(sequence)) if not error else None
    )
    made.failure = Failure(lambda _: error) if error else None
    return made


def tracker_of(*records, reason=None):
    """Return a tracker of acknowledged records that were put at time 100."""
    tracker = RecordTracker()
    for sequence, data in enumerate(records, start=1):
        tracker.track(data, "key", reason, delivery(sequence), 100.0)
    tracker.collect_outcomes()
    return tracker


def read_back(*records, reason=None):
    return [ObjectRecord(data, 101.5, reason) for data in records]


def test_a_run_without_faults_has_no_findings():
    audit = tracker_of(b"a", b"b").audit(read_back(b"b", b"a"))
    assert (audit.stored, audit.rejected) == (2, 0)
    assert (audit.lost, audit.duplicated, audit.misjudged, audit.foreign) == (0, 0, 0, 0)
    assert audit.latencies == [1.5, 1.5]


def test_an_acknowledged_record_in_no_object_is_lost():
    assert tracker_of(b"a", b"b").audit(read_back(b"a")).lost == 1


def test_a_record_in_two_objects_is_duplicated():
    assert tracker_of(b"a").audit(read_back(b"a", b"a")).duplicated == 1


def test_two_reports_with_the_same_bytes_are_two_records():
    audit = tracker_of(b"a", b"a", b"a").audit(read_back(b"a", b"a"))
    assert (audit.lost, audit.duplicated) == (1, 0)


def test_records_with_copies_have_no_latency_since_nobody_knows_which_copy_is_in_which_object():
    assert tracker_of(b"a", b"a", b"b").audit(read_back(b"a", b"a", b"b")).latencies == [1.5]


def test_the_rejected_records_are_counted_by_reason_the_most_frequent_first():
    tracker = RecordTracker()
    for sequence, reason in enumerate(["wrong_type", "out_of_range", "out_of_range", None], start=1):
        tracker.track(f"{sequence}".encode(), "key", reason, delivery(sequence), 100.0)
    tracker.collect_outcomes()
    found = [*read_back(b"1", reason="wrong_type"), *read_back(b"2", b"3", reason="out_of_range"), *read_back(b"4")]
    audit = tracker.audit(found)
    assert list(audit.rejected_reasons.items()) == [("out_of_range", 2), ("wrong_type", 1)]
    assert (audit.stored, audit.rejected) == (1, 3)


def test_a_record_that_was_never_put_is_foreign():
    assert tracker_of(b"a").audit(read_back(b"a", b"b")).foreign == 1


def test_a_record_in_the_wrong_place_or_with_the_wrong_reason_is_misjudged():
    assert tracker_of(b"a").audit(read_back(b"a", reason="out_of_range")).misjudged == 1
    assert tracker_of(b"a", reason="out_of_range").audit(read_back(b"a")).misjudged == 1
    assert tracker_of(b"a", reason="out_of_range").audit(read_back(b"a", reason="wrong_type")).misjudged == 1
    assert tracker_of(b"a", reason="out_of_range").audit(read_back(b"a", reason="out_of_range")).misjudged == 0


def test_a_failed_record_is_not_lost_and_may_be_stored_if_its_outcome_is_unknown():
    for error, duplicated in (
        (DeliveryTimeoutError("late", attempts=1), 1),
        (DeliveryUnknownError("closed", attempts=1, may_be_stored=True), 0),
    ):
        tracker = RecordTracker()
        tracker.track(b"a", "key", None, delivery(error=error), 100.0)
        tracker.collect_outcomes()
        assert tracker.audit([]).lost == 0
        audit = tracker.audit(read_back(b"a"))
        assert (audit.lost, audit.duplicated) == (0, duplicated)


def test_sequence_numbers_that_decrease_within_a_key_are_out_of_order():
    tracker = RecordTracker()
    for key, sequence in (("a", 5), ("b", 9), ("a", 10), ("b", 2), ("a", 100), ("a", 99)):
        tracker.track(b"", key, None, delivery(sequence), 100.0)
    tracker.collect_outcomes()
    assert tracker.out_of_order == 2


def test_an_outcome_is_collected_when_its_delivery_is_done():
    tracker, late = RecordTracker(), delivery()
    late.response = None
    tracker.track(b"a", "key", None, late, 100.0)
    tracker.collect_outcomes()
    assert tracker.audit([]).lost == 0
    late.response = RecordResponse(shard_id="s", sequence_number="1")
    tracker.collect_outcomes()
    assert tracker.audit([]).lost == 1
    assert tracker.first_put_at(b"a") == 100.0
    assert tracker.first_put_at(b"b") is None
