"""What a server does otherwise than the documentation says."""

from typing import Final

from tests.contract.servers import KINESIS_MOCK, MOTO

BREAKS_THE_MODEL: Final = {MOTO: ("ConsumerARN",)}
TOO_SLOW: Final = {
    (KINESIS_MOCK, case): seconds
    for case, seconds in (
        ("test_get_records_gives_at_most_10_mib", "12 s"),
        ("test_put_record_refuses_10_mib_and_1", "12 s"),
        ("test_put_records_takes_10_mib", "8 s"),
        ("test_put_records_refuses_more_than_10_mib", "8 s"),
    )
}


def reason_of(server, case):
    return None
