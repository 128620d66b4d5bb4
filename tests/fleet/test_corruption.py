"""Broken records: every corruption, rejected with the reason that it announces."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from truckstream.errors import InvalidRecordError
from truckstream.fleet import Fleet
from truckstream.fleet.corruption import CORRUPTIONS, shuffled_corruptions, valid_run_lengths
from truckstream.record import FIELDS, REASONS, TruckRecord

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)
GOOD = [report.data for report in Fleet(7, start=START).take(7)]


@pytest.mark.parametrize(
    "corruption", CORRUPTIONS, ids=lambda corruption: f"{corruption.breakage.kind}-{corruption.breakage.field}"
)
def test_each_corruption_is_rejected_as_announced(corruption):
    random = Random(11)
    for data in GOOD * 6:
        with pytest.raises(InvalidRecordError) as caught:
            TruckRecord.from_json(corruption.apply(data, random))
        assert (caught.value.code, caught.value.field) == (corruption.breakage.code, corruption.breakage.field)


def test_every_rule_of_every_field_is_broken():
    """Each field is missing and of a wrong type, and each limit of the table is crossed."""
    done = {(corruption.breakage.kind, corruption.breakage.field) for corruption in CORRUPTIONS}
    for field in FIELDS:
        kinds = {"missing", "null", "list", "number_for_text" if field.kind is str else "text_for_number"}
        bounds = ("too_short", "too_long") if field.kind is str else ("below", "above")
        kinds |= {kind for kind, limit in zip(bounds, (field.minimum, field.maximum), strict=True) if limit is not None}
        kinds |= {"fraction"} if field.kind is int else set()
        kinds |= {"not_allowed"} if field.choices else set()
        assert {(kind, field.name) for kind in kinds} <= done


def test_every_reason_code_occurs():
    """`schema` is the code for rules that the table does not have."""
    assert {corruption.breakage.code for corruption in CORRUPTIONS} == set(REASONS) - {"schema"}


def test_a_fleet_of_broken_records_applies_every_corruption_once_a_round():
    reports = Fleet(5, invalid=1.0, start=START).take(2 * len(CORRUPTIONS))
    assert not any(report.valid for report in reports)
    expected = Counter(corruption.breakage for corruption in CORRUPTIONS)
    for part in (reports[: len(CORRUPTIONS)], reports[len(CORRUPTIONS) :]):
        assert Counter(report.broken for report in part) == expected


@pytest.mark.parametrize("seed", range(3))
def test_valid_records_are_accepted_and_invalid_ones_rejected_with_their_reason(seed):
    for report in Fleet(50, seed=seed, invalid=0.3, start=START).take(3_000):
        if report.valid:
            assert report.record().truck_id == report.truck_id
            assert (report.broken, report.reason) == (None, None)
        else:
            with pytest.raises(InvalidRecordError) as caught:
                report.record()
            assert (caught.value.code, caught.value.field) == (report.broken.code, report.broken.field)
            assert report.reason == caught.value.code


def test_the_partition_key_is_always_the_true_id():
    fleet = Fleet(3, invalid=1.0, start=START)
    assert [report.truck_id for report in fleet.take(6)] == ["TRUCK_001", "TRUCK_002", "TRUCK_003"] * 2


def test_the_valid_records_do_not_depend_on_the_share_of_broken_ones():
    sound = Fleet(20, seed=4, start=START).take(2_000)
    mixed = Fleet(20, seed=4, invalid=0.2, start=START).take(2_000)
    assert all(a == b for a, b in zip(sound, mixed, strict=True) if b.valid)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.999])
def test_the_share_is_kept(share):
    drawn = valid_run_lengths(share, Random(2))
    broken = 20_000
    assert broken / (broken + sum(next(drawn) for _ in range(broken))) == pytest.approx(share, rel=0.04)


def test_a_record_truncated_anywhere_is_malformed():
    """Even in the middle of a word or after a number; only a truncated number could be read as another number."""
    corruption = next(corruption for corruption in CORRUPTIONS if corruption.breakage.kind == "truncated")

    class At(Random):
        def randrange(self, *_):
            return self.cut

    at = At()
    for at.cut in range(2, len(GOOD[0])):
        with pytest.raises(InvalidRecordError) as caught:
            TruckRecord.from_json(corruption.apply(GOOD[0], at))
        assert caught.value.code == "malformed_json"


def test_the_deck_is_shuffled_by_its_seed():
    first, again, other = (shuffled_corruptions(Random(seed)) for seed in (1, 1, 2))
    first, again, other = ([next(cards).breakage for _ in CORRUPTIONS] for cards in (first, again, other))
    assert first == again != other
