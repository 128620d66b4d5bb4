"""What one client, or all of them together, may take of the server: connections, time and memory.

They protect a test run from clients that leak connections or hang, and are far from what clients do that work.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from truckstream.local.protocol.api_call import MAX_BODY

__all__ = ["ServerLimits", "limits_for"]

#: A process has other files as well, and in a test also the clients' ends of the connections.
_SHARE_OF_FILES: Final = 2
#: Tests have hundreds of connections, not thousands. It only matters if the number of files is not limited.
_MOST_CONNECTIONS: Final = 4_096


class ServerLimits(NamedTuple):
    """The limits of a server. All times are in seconds of this machine, and do not follow the service's clock."""

    #: Number of connections at the same time.
    connections: int = _MOST_CONNECTIONS
    #: How long a connection waits for the head of its next request. It is more than the 60 s after which the AWS SDK
    #: for Java closes its own: if the server was first, a request could be on its way to a closed connection.
    idle_seconds: float = 75.0
    #: How long a request's body may take to arrive: 16 MiB at 280 kB/s.
    body_seconds: float = 60.0
    #: How long a client may take to accept what is sent to it. A subscription lasts as long.
    send_seconds: float = 300.0
    #: Bytes of bodies in memory, of one connection and of all. The AWS SDK for Java sends up to 50 requests over one
    #: connection at once.
    connection_body_bytes: int = 8 * MAX_BODY
    body_bytes: int = 16 * MAX_BODY
    #: Bytes of responses in memory, of one connection and of all. A response has up to 14 MB.
    connection_response_bytes: int = 16 * MAX_BODY
    response_bytes: int = 64 * MAX_BODY


def limits_for(open_files: int) -> ServerLimits:
    """Return the limits of a server in a process that may open so many files.

    Without a limit on connections, the process would run out of files, and could not even refuse a connection.
    """
    return ServerLimits(connections=max(1, min(_MOST_CONNECTIONS, open_files // _SHARE_OF_FILES)))
