"""The function's second argument, after https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LambdaContext"]


class LambdaContext:
    """The context of one invocation.

    Args:
        request_id: the invocation's ID.
        function_name: the function's name.
        function_arn: the function's ARN.
        memory_limit_in_mb: a string, as in the service's context.
        deadline: the time on `clock` when the function times out.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        *,
        request_id: str,
        function_name: str,
        function_arn: str,
        memory_limit_in_mb: str,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self.aws_request_id = request_id
        self.function_name = function_name
        self.function_version = "$LATEST"
        self.invoked_function_arn = function_arn
        self.memory_limit_in_mb = memory_limit_in_mb
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = f"local/[$LATEST]{request_id.replace('-', '')}"
        self.identity = None
        self.client_context = None
        self._deadline = deadline
        self._clock = clock

    def __repr__(self) -> str:
        return f"<LambdaContext {self.function_name} {self.aws_request_id}>"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function's timeout; 0 after it."""
        return max(0, int((self._deadline - self._clock()) * 1000))
