"""OpenSearch's protocol in little: bulk requests, searches, index templates and policies, with faults.

A fault is a function of the request's documents that answers in place of the server, or None to go on; the first one in
`faults` is used up by the next bulk request. `tests/search/test_real_node.py` plays the same records on OpenSearch.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import operator
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.loop_server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Document = tuple[str, str, dict[str, Any]]
Fault = Callable[["FakeOpenSearch", web.Request, list[Document]], Awaitable[web.Response | None]]

_RANGES = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


@dataclass
class FakeOpenSearch:
    """The server's state."""

    url: str = ""
    indexes: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    templates: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, tuple[int, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    search_faults: list[Fault] = field(default_factory=list)
    #: The documents of each bulk request: index and ID.
    bulks: list[list[tuple[str, str]]] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def write(self, documents: list[Document]) -> list[dict[str, Any]]:
        """Store documents and return their results."""
        results = []
        for index, name, source in documents:
            held = self.indexes.setdefault(index, {})
            results.append({"index": {"status": 200 if name in held else 201}})
            held[name] = source
        return results

    def ids(self, pattern: str = "truckstream-*") -> list[str]:
        return sorted(name for index, held in self.indexes.items() if fnmatch.fnmatch(index, pattern) for name in held)

    # --- Handlers -----------------------------------------------------------------------------------

    async def bulk(self, request: web.Request) -> web.Response:
        lines = (await request.text()).splitlines()
        documents = [
            (action["index"]["_index"], action["index"]["_id"], json.loads(source))
            for action, source in zip(map(json.loads, lines[::2]), lines[1::2], strict=True)
        ]
        self.headers.append(dict(request.headers))
        self.bulks.append([(index, name) for index, name, _ in documents])
        if self.faults and (answer := await self.faults.pop(0)(self, request, documents)) is not None:
            return answer
        return web.json_response({"errors": False, "items": self.write(documents)})

    async def search(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.searches.append(body)
        if self.search_faults:
            await self.search_faults.pop(0)(self, request, [])
        found = [
            source
            for index, held in self.indexes.items()
            if fnmatch.fnmatch(index, request.match_info["index"])
            for source in held.values()
            if fits(body["query"], source)
        ]
        names = [next(iter(each)) for each in body["sort"]]
        keyed = sorted(((_sort_values(names, source), source) for source in found), key=lambda each: _order(each[0]))
        keyed.reverse()
        if "search_after" in body:
            keyed = [each for each in keyed if _order(each[0]) < _order(body["search_after"])]
        hits = [{"_source": source, "sort": values} for values, source in keyed[: body["size"]]]
        return web.json_response({"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": hits}})

    async def template(self, request: web.Request) -> web.Response:
        self.templates[request.match_info["name"]] = await request.json()
        return web.json_response({"acknowledged": True})

    async def get_policy(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.policies:
            return error(404, "status_exception", "Policy not found")
        version, policy = self.policies[name]
        return web.json_response({"_id": name, "_seq_no": version, "_primary_term": 1, **policy})

    async def put_policy(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = self.policies[name][0] if name in self.policies else None
        given = request.query.get("if_seq_no")
        if (None if given is None else int(given)) != known:
            return error(409, "version_conflict_engine_exception", "version conflict")
        self.policies[name] = (0 if known is None else known + 1, await request.json())
        return web.json_response({"_id": name})


@asynccontextmanager
async def fake_opensearch() -> AsyncIterator[FakeOpenSearch]:
    """Serve an empty OpenSearch on the test's event loop."""
    fake = FakeOpenSearch()
    app = web.Application(client_max_size=2**27)
    app.router.add_post("/_bulk", fake.bulk)
    app.router.add_post("/{index}/_search", fake.search)
    app.router.add_put("/_index_template/{name}", fake.template)
    app.router.add_get("/_plugins/_ism/policies/{name}", fake.get_policy)
    app.router.add_put("/_plugins/_ism/policies/{name}", fake.put_policy)
    runner, address = await serve(app)
    fake.url = f"http://{address}"
    try:
        yield fake
    finally:
        await runner.cleanup()


# --- Faults -----------------------------------------------------------------------------------------


def error(status: int, kind: str, reason: str) -> web.Response:
    body = {"error": {"type": kind, "reason": reason, "root_cause": []}, "status": status}
    return web.json_response(body, status=status)


def refused(status: int, kind: str = "es_rejected_execution_exception", reason: str = "busy") -> Fault:
    """A request that fails as a whole."""

    async def fault(_fake: FakeOpenSearch, _request: web.Request, _documents: list[Document]) -> web.Response:
        return error(status, kind, reason)

    return fault


def failed_items(failures: dict[int, tuple[int, str]]) -> Fault:
    """A request of which some documents fail, by their position, with a status and a type of error."""

    async def fault(fake: FakeOpenSearch, _request: web.Request, documents: list[Document]) -> web.Response:
        items = fake.write([each for at, each in enumerate(documents) if at not in failures])
        for at, (status, kind) in sorted(failures.items()):
            cause = {"type": "number_format_exception", "reason": 'For input string: "hot"'}
            problem = {"type": kind, "reason": "failed to parse field [speed]", "caused_by": cause}
            items.insert(at, {"index": {"status": status, "error": problem}})
        return web.json_response({"errors": True, "items": items})

    return fault


async def dropped_after_write(fake: FakeOpenSearch, request: web.Request, documents: list[Document]) -> None:
    """The documents are stored, and the connection ends before the response."""
    fake.write(documents)
    request.transport.close()
    await asyncio.sleep(0)


async def no_json(_fake: FakeOpenSearch, _request: web.Request, _documents: list[Document]) -> web.Response:
    """A proxy answers in place of OpenSearch."""
    return web.Response(text="<html>Bad gateway</html>", content_type="text/html")


class Stalled:
    """The request waits until `go` is set."""

    def __init__(self) -> None:
        self.arrived, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, _fake: FakeOpenSearch, _request: web.Request, _documents: list[Document]) -> None:
        self.arrived.set()
        await self.go.wait()


# --- Searches ---------------------------------------------------------------------------------------


def fits(query: dict[str, Any], source: dict[str, Any]) -> bool:  # noqa: PLR0911 - one for each kind
    """Return whether a document matches a query of the DSL."""
    [(kind, body)] = query.items()
    if kind == "match_all":
        return True
    if kind == "exists":
        return source.get(body["field"]) is not None
    if kind == "bool":
        return (
            all(fits(each, source) for each in body.get("filter", ()))
            and not any(fits(each, source) for each in body.get("must_not", ()))
            and ("should" not in body or any(fits(each, source) for each in body["should"]))
        )
    [(name, wanted)] = body.items()
    value = source.get(name)
    if value is None:
        return False
    if kind == "term":
        return bool(value == wanted["value"])
    if kind == "wildcard":
        return fits_wildcard(wanted["value"], value)
    assert kind == "range"
    return all(_RANGES[each](value, bound) for each, bound in wanted.items() if each != "format")


def fits_wildcard(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern, in which a backslash escapes."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits_wildcard(pattern[1:], text[at:]) for at in range(len(text) + 1))
    if pattern[0] == "?":
        return bool(text) and fits_wildcard(pattern[1:], text[1:])
    skipped = 1 if pattern[0] == "\\" else 0
    return text[:1] == pattern[skipped] and fits_wildcard(pattern[skipped + 1 :], text[1:])


def _sort_values(names: list[str], source: dict[str, Any]) -> list[Any]:
    return [source.get(name) for name in names]


def _order(values: list[Any]) -> list[tuple[bool, Any]]:
    """The key for ascending order; a missing value comes last where the order is descending."""
    return [(value is not None, value if value is not None else 0) for value in values]
