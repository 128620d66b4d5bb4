"""An AWS that answers what a test has written down, held to the services' own models.

What is asked and what is answered is checked against botocore's description of the operation, so that neither a
misspelt parameter nor an answer that the service cannot give gets through.
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


def refusal(code: str, message: str = "no", operation: str = "service:Operation") -> AwsError:
    return AwsError(code, message, operation=operation, hint=hint_for(code, message))


class ScriptedAws:
    """Answers by "service.operation": a dict, an exception, a function of the parameters, or a list of these.

    Of a list each call takes one, and the last one stays. What has no answer is not there.
    """

    def __init__(self, answers: Mapping[str, Any], region: str = "us-east-1", endpoint_url: str | None = None) -> None:
        self.answers = {name: list(found) if isinstance(found, list) else [found] for name, found in answers.items()}
        self.region = region
        self.endpoint_url = endpoint_url
        self.calls = []

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The parameters of each call of one operation."""
        return [parameters for called, parameters in self.calls if called == name]

    async def call(self, service: str, operation: str, **parameters: Any) -> Any:
        name = f"{service}.{operation}"
        model = operation_model(service, operation)
        validate_parameters(parameters, model.input_shape)
        self.calls.append((name, parameters))
        waiting = self.answers.get(name) or [refusal("ResourceNotFoundException", name, f"{service}:{model.name}")]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        answer = answer(parameters) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        if model.output_shape:
            validate_parameters(answer, model.output_shape)
        return answer

    async def find(self, service: str, operation: str, **parameters: Any) -> Any:
        try:
            return await self.call(service, operation, **parameters)
        except AwsError as error:
            if is_absent(error.code, error.message):
                return None
            raise
