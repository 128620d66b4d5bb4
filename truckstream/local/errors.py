"""The service's errors: a type, its own words, and the HTTP status."""

from __future__ import annotations

from truckstream.errors import TruckstreamError

__all__ = ["KinesisError", "invalid", "not_found", "validation"]


class KinesisError(TruckstreamError):
    """An answer that is an error. `code` is the service's type, such as `ResourceNotFoundException`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def validation(value: object, path: str, constraint: str) -> KinesisError:
    """A member breaks the model: the service's frame for every such sentence."""
    text = f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
    return KinesisError("ValidationException", text)


def invalid(message: str) -> KinesisError:
    return KinesisError("InvalidArgumentException", message)


def not_found(message: str) -> KinesisError:
    return KinesisError("ResourceNotFoundException", message)
