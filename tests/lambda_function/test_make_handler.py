"""A Lambda handler of your own: its arguments, and what it adds to a Batcher."""

import json
import logging

import pytest

from tests.batcher.support import ScriptedStore, Small, number, numbers
from truckstream import Batcher, make_handler
from truckstream.errors import InvalidArgumentError, UsageError

DONE = {"batchItemFailures": []}


class Context:
    """Lambda's context with five minutes left."""

    aws_request_id = "request-3"

    @staticmethod
    def get_remaining_time_in_millis():
        return 300_000


@pytest.fixture
def handler_of():
    """Return a callable that makes a handler, which the test closes at its end."""
    made = []

    def handler_of(factory, **options):
        made.append(make_handler(factory, **options))
        return made[-1]

    yield handler_of
    for handler in made:
        handler.close()


def test_the_factory_is_called_at_the_first_call_and_its_batcher_is_kept(handler_of):
    stores = []

    def factory():
        stores.append(ScriptedStore())
        return Batcher(stores[-1], schema=Small)

    handler = handler_of(factory)
    assert stores == []
    assert handler({"Records": numbers(3)}, Context()) == DONE
    assert handler({"Records": numbers(2, 3)}, Context()) == DONE
    assert [len(store.puts()) for store in stores] == [2]


def test_an_error_of_the_factory_fails_the_call_and_the_next_call_tries_again(handler_of):
    answers = [OSError("no settings yet"), Batcher("memory:///", schema=Small)]

    def factory():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    handler = handler_of(factory)
    with pytest.raises(OSError, match="no settings yet"):
        handler({"Records": numbers(1)}, None)
    assert handler({"Records": numbers(1)}, None) == DONE


def test_after_close_the_next_call_starts_cold(handler_of):
    made = []

    def factory():
        made.append(1)
        return Batcher("memory:///", schema=Small)

    handler = handler_of(factory)
    handler({"Records": numbers(1)}, None)
    handler.close()
    handler({"Records": numbers(1)}, None)
    assert len(made) == 2


def test_the_safety_margin_is_kept_from_the_remaining_time(handler_of):
    """Five minutes are left: with a margin of five there is no time for a PUT."""
    event = {"Records": numbers(3)}
    tight = handler_of(lambda: Batcher("memory:///", schema=Small), safety_margin=300)
    assert tight(event, Context()) == {"batchItemFailures": [{"itemIdentifier": number(0)}]}
    assert handler_of(lambda: Batcher("memory:///", schema=Small))(event, Context()) == DONE


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        (Batcher("memory:///"), {}, r"batcher_factory is Batcher.*write make_handler\(lambda: Batcher"),
        ("s3://bucket", {}, "batcher_factory is 's3://bucket': must be a function that returns a Batcher"),
        (None, {}, "batcher_factory is None"),
        (Batcher, {"log_level": "LOUD"}, "log_level is 'LOUD': must be one of DEBUG, INFO, WARNING, ERROR"),
        (Batcher, {"safety_margin": -1}, "safety_margin is -1: must be a number of seconds, from 0 to below 900"),
        (Batcher, {"safety_margin": "1"}, "safety_margin is '1'"),
        (Batcher, {"safety_margin": True}, "safety_margin is True"),
    ],
)
def test_an_argument_that_breaks_a_rule_is_rejected(factory, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make_handler(factory, **options)


def test_a_coroutine_function_is_rejected():
    async def factory():
        """Lambda's handler is not async."""

    with pytest.raises(InvalidArgumentError, match="must be a function that returns a Batcher"):
        make_handler(factory)


def test_a_factory_that_returns_no_batcher_is_named(handler_of):
    with pytest.raises(UsageError, match="batcher_factory returned None: it must return a Batcher"):
        handler_of(lambda: None)({"Records": numbers(1)}, None)


@pytest.mark.parametrize("variable", [True, False])
def test_the_log_level_leaves_out_lower_lines_and_never_the_metrics(handler_of, monkeypatch, capsys, variable):
    """Without the metrics no alarm would notice a failing function."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trucks-to-s3")
    if variable:
        monkeypatch.setenv("LOG_LEVEL", "ERROR")
    handler = handler_of(lambda: Batcher("memory:///", schema=Small), **({} if variable else {"log_level": "ERROR"}))
    handler({"Records": numbers(2)}, Context())
    logging.getLogger("truckstream.batcher").warning("slow")
    logging.getLogger("truckstream.batcher").error("broken")
    metrics, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert (metrics["RecordsStored"], metrics["level"], metrics["FunctionName"]) == (2, "INFO", "trucks-to-s3")
    assert (error["message"], error["request_id"]) == ("broken", "request-3")


def test_the_argument_overrides_the_variable(handler_of, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trucks-to-s3")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    handler = handler_of(lambda: Batcher("memory:///", schema=Small), log_level="DEBUG")
    handler({"Records": []}, Context())
    logging.getLogger("truckstream.batcher").debug("a detail")
    assert "a detail" in capsys.readouterr().out


def test_the_repr_names_the_factory():
    assert repr(make_handler(Batcher)).startswith("LambdaHandler(<class 'truckstream.batcher")
