"""The lease table of a consumer that was given none."""

import pytest

from truckstream.consumer.tables import DynamoDbTable, MemoryTable, SqliteTable
from truckstream.consumer.tables.default_table import default_table
from truckstream.errors import InvalidArgumentError

NOWHERE = {"region_name": None, "endpoint_url": None, "session": None}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_without_an_application_leases_are_kept_in_memory():
    assert isinstance(default_table(None, **NOWHERE), MemoryTable)


def test_in_aws_they_are_kept_in_a_table_of_the_applications_name():
    assert isinstance(default_table("lake", **NOWHERE), DynamoDbTable)
    vpc = NOWHERE | {"endpoint_url": "https://vpce-1a2b3c.kinesis.us-east-1.vpce.amazonaws.com"}
    assert isinstance(default_table("lake", **vpc), DynamoDbTable)


def test_beside_a_local_kinesis_they_are_kept_in_a_file(monkeypatch, tmp_path):
    local = NOWHERE | {"endpoint_url": "http://127.0.0.1:4567"}
    assert isinstance(default_table("lake", **local), SqliteTable)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", "http://localhost:4567")
    assert isinstance(default_table("lake", **NOWHERE), SqliteTable)
    assert (tmp_path / "truckstream").is_dir()


@pytest.mark.parametrize("name", ["ab", "a lake", "x" * 256])
def test_an_application_whose_name_no_table_can_have_is_refused(name):
    with pytest.raises(InvalidArgumentError, match=r"application is .*: must have 3 to 255 letters"):
        default_table(name, **NOWHERE)
