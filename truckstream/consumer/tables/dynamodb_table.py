"""A lease table in DynamoDB, which workers in Python and in Java (the KCL) can share.

Every write is conditional, and is repeated after a throttle or a lost response: a repetition whose first attempt had
landed fails its condition, and DynamoDB returns the item, which shows whose write it was. Readings are strongly
consistent, because a hand-over counts what other workers wrote just before.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING, Any, Final

from truckstream.consumer.tables.item_update import ItemUpdate
from truckstream.consumer.tables.lease_item import CHECKPOINT_OWNER, COUNTER, KEY, OWNER, is_lease, item_of, lease_of
from truckstream.errors import ConfigurationError, LeaseTableError
from truckstream.kinesis.session.default_session import load_aiobotocore, prepared_session, wait_for_turn
from truckstream.kinesis.session.user_session import aio_session

if TYPE_CHECKING:
    from truckstream.consumer.leases.lease import Lease
    from truckstream.kinesis.session.user_session import UserSession

__all__ = ["DynamoDbTable"]

_IS_NEW: Final = f"attribute_not_exists({KEY})"

#: Errors after which the same call may succeed in a moment.
_TRANSIENT: Final = frozenset(
    {
        *("InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504"),
        *("LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
        *("ThrottlingException", "ThrottledException", "Throttling", "TransactionConflictException"),
    }
)
_ADVICE: Final = {
    "AccessDeniedException": "Allow dynamodb: DescribeTable, CreateTable, Scan, PutItem, UpdateItem, DeleteItem on it",
    "ProvisionedThroughputExceededException": "Raise the table's capacity, or set it to on-demand (PAY_PER_REQUEST)",
    "ResourceNotFoundException": "There is no such table: a consumer creates it when it opens",
    "ValidationException": "Its key must be the string leaseKey: choose another name, or delete the table",
}
_GENERAL_ADVICE: Final = "Check region_name=, endpoint_url=, the credentials and the network"

#: States in which items can be written. The KCL adds an index, during which a table is UPDATING.
_USABLE: Final = frozenset({"ACTIVE", "UPDATING"})

#: Seconds that a new table may take, or an old one that is still being deleted.
_CREATION_TIMEOUT: Final = 60.0

#: Seconds before the first repetition, doubled each time; a random part of it is left out.
_FIRST_BACKOFF: Final = 0.05
_LONGEST_BACKOFF: Final = 1.0


class DynamoDbTable:
    """The lease table of one application.

    Args:
        name: of the table; the KCL takes the name of the application.
        region_name, endpoint_url: as in aiobotocore; by default the environment's.
        session: of aiobotocore or aioboto3; by default a new one.
        create: whether opening creates the table if there is none.
        retry_for: seconds after which a call that does not succeed is given up, less than the duration of a lease.
        random: the source of the jitter; by default seeded by the system.
    """

    names_streams = False

    def __init__(
        self,
        name: str,
        *,
        region_name: str | None = None,
        endpoint_url: str | None = None,
        session: UserSession | None = None,
        create: bool = True,
        retry_for: float = 5.0,
        random: Random | None = None,
    ) -> None:
        self._name = name
        self._region_name = region_name
        self._endpoint_url = endpoint_url
        self._session: Any = aio_session(session)
        self._creates = create
        self._retry_for = retry_for
        self._random = random or Random()
        self._client: Any = None
        self._resources = AsyncExitStack()

    async def open(self) -> None:
        """Connect; create the table, billed by request, if there is none.

        Raises:
            ConfigurationError: no region is set, or the region, the endpoint or the profile is invalid.
            LeaseTableError: DynamoDB cannot be reached, or returned an error.
        """
        if self._client is None:
            await self._connect()
        if not self._creates:
            return
        try:
            await self._make_usable()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the sockets. May be called twice."""
        self._client = None
        await self._resources.aclose()

    async def read(self) -> list[Lease]:
        """Return all leases."""
        leases: list[Lease] = []
        page: dict[str, Any] = {}
        while True:
            response = await self._call("scan", ConsistentRead=True, **page)
            leases += [lease_of(item) for item in response.get("Items", ()) if is_lease(item)]
            if "LastEvaluatedKey" not in response:
                return leases
            page = {"ExclusiveStartKey": response["LastEvaluatedKey"]}

    async def create(self, lease: Lease) -> bool:
        """Add a lease. False if there is one with its key, which stays as it is."""
        response = await self._call("put_item", Item=item_of(lease), ConditionExpression=_IS_NEW)
        return "refused" not in response

    async def replace(self, before: Lease, after: Lease) -> bool:
        """Write `after` if the table's lease has the owner, checkpoint owner and counter of `before`; else False."""
        update = ItemUpdate()
        old, new = item_of(before), item_of(after)
        response = await self._call(
            "update_item",
            Key={KEY: new.pop(KEY)},
            ConditionExpression=" AND ".join(
                update.is_equal(name, old.get(name)) for name in (COUNTER, OWNER, CHECKPOINT_OWNER)
            ),
            UpdateExpression=update.change(old, new),
            ExpressionAttributeNames=update.names,
            ExpressionAttributeValues=update.values,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        if "refused" not in response:
            return True
        found = response["refused"]
        return bool(found) and item_of(lease_of(found)) == item_of(after)

    async def delete(self, lease: Lease) -> bool:
        """Remove a lease if it has the counter of `lease`; False if it has another."""
        response = await self._call(
            "delete_item",
            Key={KEY: {"S": lease.key}},
            ConditionExpression=f"{_IS_NEW} OR {COUNTER} = :counter",
            ExpressionAttributeValues={":counter": {"N": str(lease.counter)}},
        )
        return "refused" not in response

    # --- The table ------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await load_aiobotocore()
        from aiobotocore.config import AioConfig  # noqa: PLC0415 - loaded by the line above
        from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415

        timeout = self._retry_for / 2
        config = AioConfig(connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1})
        try:
            session = await prepared_session(self._session, "dynamodb")
            await wait_for_turn()
            context = session.create_client(
                "dynamodb", region_name=self._region_name, endpoint_url=self._endpoint_url, config=config
            )
            self._client = await self._resources.enter_async_context(context)
        except NoRegionError as error:
            raise ConfigurationError("region_name", "is not set", "Pass it, or set AWS_DEFAULT_REGION.") from error
        except (BotoCoreError, ValueError) as error:
            hint = "Check region_name=, endpoint_url=, AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB."
            raise ConfigurationError("the AWS configuration", f"is invalid: {str(error).rstrip('.')}", hint) from error

    async def _make_usable(self) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _CREATION_TIMEOUT
        while (status := await self._status()) not in _USABLE:
            if clock() > deadline:
                advice = "Wait until it is ACTIVE, or choose another name"
                raise self._error("TableNotActive", f"it is {status or 'missing'}", advice=advice)
            if status is None:
                await self._create_table()
            await asyncio.sleep(0.2)

    async def _status(self) -> str | None:
        response = await self._call("describe_table", may_be="ResourceNotFoundException")
        return None if "refused" in response else str(response["Table"]["TableStatus"])

    async def _create_table(self) -> None:
        await self._call(
            "create_table",
            may_be="ResourceInUseException",  # another worker was first
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    # --- Calls ----------------------------------------------------------------------------------

    async def _call(
        self, operation: str, *, may_be: str = "ConditionalCheckFailedException", **parameters: Any
    ) -> dict[str, Any]:
        """Make a call until it succeeds, is refused or `retry_for` has passed.

        A refusal with the code `may_be` returns the item that DynamoDB found, under "refused".
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded with the client

        clock = asyncio.get_running_loop().time
        deadline, backoff = clock() + self._retry_for, _FIRST_BACKOFF
        while True:
            if self._client is None:
                raise self._error("closed", "it is not open", advice="Open the consumer first")
            try:
                response: dict[str, Any] = await getattr(self._client, operation)(TableName=self._name, **parameters)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", "Unknown"))
                if code == may_be:
                    return {"refused": error.response.get("Item") or {}}
                failure, cause = self._error(code, str(error.response.get("Error", {}).get("Message", ""))), error
                is_transient = code in _TRANSIENT
            except BotoCoreError as error:
                failure, cause = self._error(type(error).__name__, str(error)), error
                is_transient = type(error).__name__ not in {"NoCredentialsError", "PartialCredentialsError"}
            else:
                return response
            failure.retryable = is_transient
            wait = backoff * self._random.uniform(0.5, 1.0)
            if not is_transient or clock() + wait > deadline:
                raise failure from cause
            await asyncio.sleep(wait)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)

    def _error(self, code: str, message: str, *, advice: str | None = None) -> LeaseTableError:
        advice = advice or _ADVICE.get(code, _GENERAL_ADVICE)
        return LeaseTableError(code, f"{message.rstrip('.')} (lease table {self._name}). {advice}")
