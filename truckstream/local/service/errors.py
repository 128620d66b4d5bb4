"""The errors that the service returns: a type, a message, and an HTTP status.

A message that several operations use is defined here; other messages are defined where they are raised. Messages marked
[rec], here and elsewhere, were recorded from the service: in reports on GitHub, and in the tests of kinesalite, which
were run against AWS. The other messages follow their pattern.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from truckstream.errors import ServiceError

__all__ = ["RecordRefusal", "RefusedError"]

_STATUS: Final = {
    "InternalFailure": 500,
    "RequestEntityTooLarge": 413,
    "RequestTimeout": 408,
    "ServiceUnavailable": 503,
}


class RefusedError(ServiceError):
    """An error response of the local service, with the code and the message of Kinesis. `status` is the HTTP status."""

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 400)


class RecordRefusal(NamedTuple):
    """The error that a fault returns for one record, and whether the record is stored nevertheless."""

    code: str
    message: str
    is_stored: bool


def stream_not_found(name: str, account: str) -> RefusedError:
    return RefusedError("ResourceNotFoundException", f"Stream {name} under account {account} not found.")  # [rec]


def shard_not_found(shard_id: str, name: str, account: str) -> RefusedError:
    """Return the error for text that cannot be a shard ID."""
    text = f"Could not find shard {shard_id} in stream {name} under account {account}."  # [rec]
    return RefusedError("ResourceNotFoundException", text)


def shard_unknown(shard_id: str, name: str, account: str) -> RefusedError:
    """Return the error for a shard that does not exist, or no longer."""
    text = f"Shard {shard_id} in stream {name} under account {account} does not exist"  # [rec]
    return RefusedError("ResourceNotFoundException", text)


def stream_exists(name: str, account: str) -> RefusedError:
    return RefusedError("ResourceInUseException", f"Stream {name} under account {account} already exists.")  # [rec]


def stream_busy(name: str, account: str, state: str) -> RefusedError:
    text = f"Stream {name} under account {account} not ACTIVE, instead in state {state}"  # [rec]
    return RefusedError("ResourceInUseException", text)


def stream_has_consumers(name: str, account: str) -> RefusedError:
    text = (
        f"Stream {name} under account {account} has registered consumers; set EnforceConsumerDeletion to delete them."
    )
    return RefusedError("ResourceInUseException", text)


def consumer_not_found(consumer: str, account: str) -> RefusedError:
    return RefusedError("ResourceNotFoundException", f"Consumer {consumer}, account {account} not found.")


def consumer_exists(consumer: str, name: str, account: str) -> RefusedError:
    text = f"Consumer {consumer} of stream {name} under account {account} already exists."
    return RefusedError("ResourceInUseException", text)


def consumer_busy(arn: str, state: str) -> RefusedError:
    return RefusedError("ResourceInUseException", f"Consumer {arn} not ACTIVE, instead in state {state}")


def subscription_taken(arn: str, shard_id: str) -> RefusedError:
    text = f"Another active subscription exists for this consumer: {arn} and shard: {shard_id}"
    return RefusedError("ResourceInUseException", text)


def rate_exceeded_text(shard_id: str, name: str, account: str) -> str:
    return f"Rate exceeded for shard {shard_id} in stream {name} under account {account}."  # [rec]


def rate_exceeded(shard_id: str, name: str, account: str) -> RefusedError:
    return RefusedError("ProvisionedThroughputExceededException", rate_exceeded_text(shard_id, name, account))


def calls_exceeded(name: str, account: str) -> RefusedError:
    """Return the error for an operation that was called too often, on a stream or (without `name`) in the account."""
    what = f"stream {name} under account {account}" if name else f"account {account}"  # [rec], the first
    return RefusedError("LimitExceededException", f"Rate exceeded for {what}.")


def too_many_shards(account: str, region: str, current: int, limit: int, more: int) -> RefusedError:
    text = (  # [rec]
        f"This request would exceed the shard limit for the account {account} in {region}. "
        f"Current shard count for the account: {current}. Limit: {limit}. "
        f"Number of additional shards that would have resulted from this request: {more}. "
        "Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) "
        "for current limits and how to request higher limits."
    )
    return RefusedError("LimitExceededException", text)


def limit_exceeded(text: str) -> RefusedError:
    return RefusedError("LimitExceededException", text)


def invalid(text: str) -> RefusedError:
    return RefusedError("InvalidArgumentException", text)


def not_valid(problems: list[str]) -> RefusedError:
    """Return the error that lists every violated constraint of a request in one sentence, as the service does."""
    errors = "error" if len(problems) == 1 else "errors"
    text = f"{len(problems)} validation {errors} detected: {'; '.join(problems)}"  # [rec]
    return RefusedError("ValidationException", text)


def not_readable(text: str = "") -> RefusedError:
    """Return the error for an unreadable body. It has no message if the body is not of its encoding at all [rec]."""
    return RefusedError("SerializationException", text)


def dry_run() -> RefusedError:
    return RefusedError("DryRunOperationException", "The request would have succeeded, but DryRun was specified.")


def unknown_operation() -> RefusedError:
    return RefusedError("UnknownOperationException", "")
