"""What a server does otherwise than the documentation says: case -> the documented sentence, and who does what instead.

The cases are written from the service's own documentation and model, so where a case and a server disagree the
documentation is right and the server is not; where the documentation leaves room, the case takes every reading of it.
Each entry is an xfail(strict=True) of that case on that server, so the table can't go stale: a difference that is gone
fails the suite. `python -m tests.contract.differences` writes the table into README.md; a test holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.contract.servers import KINESIS_MOCK, MOTO, TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Known:
    """A case that at least one server answers in its own way."""

    #: The shape (a name of service-2.json) or the sentence that decides it, and where it stands.
    documented: str
    #: What each server does instead.
    instead: Mapping[str, str] = field(default_factory=dict)


KNOWN: Final[Mapping[str, Known]] = {
    "test_put_records_refuses_501": Known("PutRecordsRequestEntryList: max 500", {KINESIS_MOCK: "stores all 501"}),
    "test_put_records_refuses_0": Known(
        "PutRecordsRequestEntryList: min 1", {KINESIS_MOCK: "answers with no records", MOTO: "answers with no records"}
    ),
    "test_put_records_answers_in_the_order_of_the_request": Known(
        "HashKey: decimal digits; the last shard ends at 2^128 - 1", {MOTO: "500 for the hash key 2^128 - 1"}
    ),
}

#: What truckstream.local lacks today: case -> what. Nothing may be left here when it is done.
NOT_YET: Final[Mapping[str, str]] = {}

PAGE: Final = Path(__file__).with_name("README.md")


def reason_of(server: str, case: str) -> str | None:
    """Why this case is expected to fail on this server; None where it has to pass."""
    if server not in TITLES:
        return None
    if case in KNOWN and server in KNOWN[case].instead:
        return f"{KNOWN[case].instead[server]}; documented: {KNOWN[case].documented}"
    return None
