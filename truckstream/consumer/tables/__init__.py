"""Where leases are kept: in DynamoDB, in a file of this machine, or in memory."""

from truckstream.consumer.tables.dynamodb_table import DynamoDbTable
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.tables.sqlite_table import SqliteTable

__all__ = ["DynamoDbTable", "MemoryTable", "SqliteTable"]
