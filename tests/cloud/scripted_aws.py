"""A fake AWS account that returns responses written in the test, checked against the services' own models.

Parameters and responses are validated against botocore's model of the operation. A misspelt parameter, or a response
that the service cannot return, therefore fails the test.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import validate_parameters

from truckstream.cloud.error_hints import hint_for, is_absent
from truckstream.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, ServiceModel


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    model = service_model(service)
    by_name = {name.replace("V2", "v2").lower(): name for name in model.operation_names}
    return model.operation_model(by_name[operation.replace("_", "")])


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def aws_error(code: str, message: str = "no", operation: str = "service:Operation") -> AwsError:
    return AwsError(code, message, operation=operation, hint=hint_for(code, message))


class ScriptedAws:
    """Fake account with a response for each "service.operation".

    A response is a dict, an exception to raise, a function of the parameters, or a list of these. Each call takes the
    next item of a list, and the last item repeats. An operation without a response raises ResourceNotFoundException.
    """

    def __init__(
        self, responses: Mapping[str, Any], region: str = "us-east-1", endpoint_url: str | None = None
    ) -> None:
        self.responses = {
            name: list(found) if isinstance(found, list) else [found] for name, found in responses.items()
        }
        self.region = region
        self.endpoint_url = endpoint_url
        self.stand_in = endpoint_url
        self.calls = []

    def calls_of(self, name: str) -> list[dict[str, Any]]:
        """Return the parameters of each call of one operation."""
        return [parameters for called, parameters in self.calls if called == name]

    async def call(self, service: str, operation: str, **parameters: Any) -> Any:
        name = f"{service}.{operation}"
        model = operation_model(service, operation)
        validate_parameters(parameters, model.input_shape)
        self.calls.append((name, parameters))
        missing = [aws_error("ResourceNotFoundException", name, f"{service}:{model.name}")]
        waiting = self.responses.get(name) or missing
        response = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        response = response(parameters) if callable(response) else response
        if isinstance(response, Exception):
            raise response
        if model.output_shape:
            validate_parameters(response, model.output_shape)
        return response

    async def find(self, service: str, operation: str, **parameters: Any) -> Any:
        try:
            return await self.call(service, operation, **parameters)
        except AwsError as error:
            if is_absent(error.code, error.message):
                return None
            raise
