"""The lease table that an option names."""

import pytest

from truckstream.consumer.tables import DynamoDbTable, SqliteTable
from truckstream.consumer.tables.named_table import named_table
from truckstream.errors import InvalidArgumentError, LeaseTableError


def test_the_word_before_the_colon_chooses_the_kind():
    assert isinstance(named_table("sqlite:leases.db", region_name=None), SqliteTable)
    assert isinstance(named_table("dynamodb:lake", region_name=None), DynamoDbTable)


async def test_the_rest_is_the_path_even_with_colons(tmp_path):
    table = named_table(f"sqlite:{tmp_path}/a:b.db", region_name=None)
    await table.open()
    await table.close()
    assert (tmp_path / "a:b.db").exists()


async def test_without_create_the_table_must_exist(tmp_path):
    table = named_table(f"sqlite:{tmp_path}/none.db", region_name=None, create=False)
    with pytest.raises(LeaseTableError, match="there is no"):
        await table.open()
    await table.close()


@pytest.mark.parametrize("text", ["", "sqlite", "sqlite:", "dynamodb:", "redis:x", "lake", "DynamoDB:lake"])
def test_another_text_is_refused(text):
    with pytest.raises(InvalidArgumentError, match=r"lease_table is .*: must be dynamodb:NAME or sqlite:FILE"):
        named_table(text, region_name=None)
