"""`truckstream streams`: list the streams of the account and region, or the shards of one stream."""

from __future__ import annotations

from truckstream.command_line import command_line
from truckstream.commands.output.results import print_result, run_aws_command
from truckstream.commands.output.stream_tables import format_stream, format_streams
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.errors import AwsError

__all__ = ["streams"]


def streams(stream: str | None = None, *, connection: StreamConnection = DEFAULT_CONNECTION, json: bool = False) -> int:
    """List the streams of the account and region, or show one stream with its shards.

    Exits with 1 if a stream could not be described, such as for lack of a permission; the others are listed.

    Example:
        truckstream streams --region eu-central-1
        truckstream streams trucks --endpoint-url http://127.0.0.1:4567

    Args:
        stream: Name or ARN of a stream, to show its shards: those that are open, and those that still hold records.
        connection: Region and endpoint.
        json: Print the result as JSON.
    """
    work = _list(connection, json=json) if stream is None else _show(stream, connection, json=json)
    return run_aws_command(work, json=json)


async def _list(connection: StreamConnection, *, json: bool) -> int:
    from truckstream.cloud.watch.reading.streams import list_streams  # noqa: PLC0415 - loaded by this command only

    async with await connection.account() as account:
        found = await list_streams(account)
    print_result(found, format_streams(found), json=json)
    return 1 if found.unread else 0


async def _show(stream: str, connection: StreamConnection, *, json: bool) -> int:
    from truckstream.cloud.watch.reading.streams import read_stream  # noqa: PLC0415 - loaded by this command only

    async with await connection.account(stream) as account:
        try:
            found = await read_stream(account, stream)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            hint = f"{command_line('truckstream', 'streams', *connection.flags)} lists the streams that exist."
            raise AwsError(error.code, error.message, operation=error.operation, hint=hint) from error
    print_result(found, format_stream(found), json=json)
    return 0
