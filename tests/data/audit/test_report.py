"""The text states what is proved and what is not."""

import msgspec
import pytest

from truckstream.data.audit.findings import AuditFinding
from truckstream.data.audit.report import AuditedShard, AuditReport, render_report

SHARD = AuditedShard(
    stream="arn:aws:kinesis:us-east-1:123456789012:stream/trucks",
    shard="shardId-000000000000",
    groups=3,
    valid=2_000,
    rejected=100,
    first_sequence_number="10",
    last_sequence_number="2109",
    begins_after="9",
    proven_links=1,
    unproven_links=1,
    interleaved=4,
)
REPORT = AuditReport(
    objects=4,
    bytes=1_000_000,
    read_contents=True,
    shards=(SHARD,),
    rejected_by_reason={"out_of_range": 1, "wrong_type": 99},
    without_checksum=2,
    without_checksum_keys=("sensor_data/a.json", "sensor_data/b.json"),
    without_metadata=1,
    without_metadata_keys=("sensor_data/c.json",),
    findings=(),
)
HOLE = AuditFinding.of("hole", "no object holds the record 7", "sensor_data/d.json", numbers=(5, 7))
UNSETTLED = AuditFinding.of("hole", "no object holds the record 7", settled=False)


def changed(**changes):
    return msgspec.structs.replace(REPORT, **changes)


def test_a_report_without_findings():
    assert render_report(REPORT, 20).splitlines() == [
        "4 objects, 1,000,000 bytes: read and compared with their SHA-256.",
        "trucks shardId-000000000000: 2,000 valid and 100 rejected records in 3 groups, from 10 to 2109.",
        "  The record before them, 9, is in no object of the time.",
        "  4 pairs of groups interleave, as with a ParallelizationFactor above 1.",
        "Rejected: 99 wrong_type, 1 out_of_range.",
        "Proved: between 1 neighbouring groups no record is missing, by the chain in their metadata.",
        (
            "Not proved: a group that is missing as a whole would not show between 1 neighbouring groups, because the "
            "writer did not know the record before, and at both ends of each shard. While the stream still has the "
            "records, --stream proves it."
        ),
        "Not proved: 2 objects of an earlier version have no SHA-256, such as sensor_data/a.json.",
        "Not proved: 1 objects have no metadata, such as sensor_data/c.json.",
        "Nothing is missing, doubled or damaged, as far as the above proves it.",
    ]


def test_a_report_with_the_stream_and_the_metric():
    empty = AuditedShard(stream=SHARD.stream, shard="shardId-000000000001", waiting=3)
    compared = msgspec.structs.replace(SHARD, compared=2_100)
    lines = render_report(
        changed(shards=(compared, empty), compared_stream="trucks", compared_hours=7), 20
    ).splitlines()
    assert "  2,100 records of the stream compared, 0 not stored yet." in lines
    assert lines[lines.index("trucks shardId-000000000001: no objects.") + 1].endswith("compared, 3 not stored yet.")
    assert "Proved: 2,100 records that trucks still has were compared one by one." in lines
    assert "Compared: 7 hours with CloudWatch's IncomingRecords." in lines
    assert not any("at both ends" in line for line in lines)


@pytest.mark.parametrize(
    ("findings", "status", "verdict"),
    [
        ((HOLE, UNSETTLED), 1, "Something is missing, doubled or damaged: 2 hole."),
        ((UNSETTLED,), 2, "It could not be told whether everything is there: 1 hole."),
    ],
)
def test_findings_decide_the_exit_status(findings, status, verdict):
    report = changed(findings=findings)
    lines = render_report(report, 20).splitlines()
    assert (report.exit_status, lines[-1]) == (status, verdict)
    assert report.to_builtins()["exit_status"] == status


def test_only_the_first_findings_are_printed():
    lines = render_report(changed(findings=(HOLE, UNSETTLED)), 1).splitlines()
    assert lines[-3:-1] == [
        "problem: hole: no object holds the record 7.",
        "and 1 more findings; --json prints all.",
    ]


def test_json_has_every_finding_with_its_place():
    document = msgspec.json.decode(msgspec.json.encode(changed(findings=(HOLE,)).to_builtins()))
    assert document["findings"] == [
        {
            "kind": "hole",
            "severity": "problem",
            "text": "no object holds the record 7",
            "keys": ["sensor_data/d.json"],
            "stream": None,
            "shard": None,
            "first_sequence_number": "5",
            "last_sequence_number": "7",
        }
    ]
