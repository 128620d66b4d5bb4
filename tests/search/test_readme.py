"""The page of the search is true: its queries are valid, its options, parameters and program exist."""

import inspect
import re
from pathlib import Path

import pytest

from tests.cloud.parsed_template import PARAMETERS
from tests.search.fake_opensearch import fake_opensearch
from truckstream import Batcher
from truckstream.commands.search import search
from truckstream.errors import InvalidQueryError
from truckstream.search import OpenSearchSink, parse_query

TEXT = (Path(__file__).parents[2] / "truckstream" / "search" / "README.md").read_text(encoding="utf-8")


def table(head):
    """The first cells of the table with this head."""
    rows = TEXT.split(f"| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


@pytest.mark.parametrize("query", [each for cell in table("query") for each in re.findall("`([^`…]+)`", cell)])
def test_each_query_is_valid(query):
    parse_query(query)


def test_the_error_is_quoted_as_it_is():
    with pytest.raises(InvalidQueryError) as caught:
        parse_query("brake_tmp:>200")
    assert str(caught.value) in " ".join(TEXT.split())


def test_the_table_has_the_options_of_the_command():
    listed = {each for cell in table("option") for each in re.findall("`--([a-z-]+)`", cell)}
    parameters = {name.rstrip("_") for name in inspect.signature(search).parameters} - {
        "query",
        "connection",
        "opensearch",
    }
    assert listed == parameters | {"region", "endpoint-url"}


def test_the_parameters_of_the_template_exist():
    named = {re.match(r"`(\w+)=", cell)[1] for cell in table("parameter")}
    assert named == {"CreateSearch", "SearchReaders", "QuickSightPrincipal"}
    assert named < set(PARAMETERS)


def test_the_options_of_the_library_exist():
    named = set(re.findall(r"`(create_templates|keep_days|on_rejected|max_in_flight|max_request_bytes)", TEXT))
    assert len(named) == 5
    assert named < set(inspect.signature(OpenSearchSink).parameters)
    assert {"second_target", "second_target_timeout"} < set(inspect.signature(Batcher).parameters)


async def test_the_program_runs(monkeypatch):
    """On a stand-in for the consumer, whose own page runs it against a stream."""
    [program] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    handlers = []

    class Consumer:
        def __init__(self, stream, *, application):
            assert (stream, application) == ("truck-sensor-stream", "search")

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

        async def run(self, handler):
            handlers.append(handler)

    monkeypatch.setattr("truckstream.Consumer", Consumer)
    async with fake_opensearch() as fake:
        names = {}
        text = program.replace("https://search.example.com", fake.url).replace("asyncio.run(main())", "")
        exec(compile(text, "README.md", "exec"), names)
        await names["main"]()
        assert fake.templates.keys() == {"truckstream", "rejected-truckstream"}
        assert "after 30 days" in fake.policies["truckstream"][1]["policy"]["description"]
    assert len(handlers) == 1
