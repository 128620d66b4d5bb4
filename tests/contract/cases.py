"""Read from the source of the cases which operations they call, which errors they provoke, and their first sentence.

`kinesis.put_record(...)` in a case, or in a helper of its file, calls PutRecord; `with rejected_with("X"):` around the
call provokes X. The coverage and the table of differences are computed from this, so that neither is kept by hand.
"""

from __future__ import annotations

import ast
import functools
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore
from botocore import xform_name

HERE: Final = Path(__file__).parent
MODEL_PATH: Final = Path(botocore.__file__).parent / "data" / "kinesis" / "2013-12-02" / "service-2.json.gz"

#: Files whose cases run against the servers.
CASE_FILES: Final = tuple(
    path for path in sorted(HERE.glob("test_*.py")) if path.name not in {"test_coverage.py", "test_table.py"}
)


@functools.cache
def model() -> dict[str, Any]:
    """Return the service's model, as botocore ships it."""
    return json.loads(gzip.decompress(MODEL_PATH.read_bytes()))


@functools.cache
def operation_of_method() -> dict[str, str]:
    return {xform_name(name): name for name in model()["operations"]}


@dataclass(slots=True)
class Case:
    """One case, or one helper function of the cases."""

    name: str
    file: str
    sentence: str
    operations: set[str] = field(default_factory=set)
    #: (operation, error)
    errors: set[tuple[str, str]] = field(default_factory=set)
    #: Names of the functions that it uses, in its own file or in support.py.
    helpers: set[str] = field(default_factory=set)


@functools.cache
def cases() -> dict[str, Case]:
    """Return all cases by the names of their functions."""
    shared = _functions(HERE / "support.py")
    found: dict[str, Case] = {}
    for path in CASE_FILES:
        known = shared | _functions(path)
        for name, case in known.items():
            if name.startswith("test_"):
                assert name not in found, f"two cases are called {name}"
                _add_helpers(case, known)
                found[name] = case
    return found


def operations_of(case: str) -> set[str]:
    """Return the operations that a case calls. A case is named `test_name[parameters]`."""
    name, _, parameter = case.partition("[")
    operation = parameter.rstrip("]")
    named = {operation} if operation in model()["operations"] else set()
    return cases()[name].operations | named


def _functions(path: Path) -> dict[str, Case]:
    tree = ast.parse(path.read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            sentence = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            found[node.name] = case = Case(node.name, path.name, sentence)
            _read(node, case, ())
    return found


def _read(node: ast.AST, case: Case, rejected: tuple[str, ...]) -> None:
    if isinstance(node, ast.With):
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "rejected_with":
                rejected = tuple(each.value for each in call.args if isinstance(each, ast.Constant))
    if isinstance(node, ast.Attribute) and node.attr in operation_of_method():
        operation = operation_of_method()[node.attr]
        case.operations.add(operation)
        case.errors |= {(operation, code) for code in rejected}
    if isinstance(node, ast.Name):
        case.helpers.add(node.id)
        if node.id in SHORTHANDS:
            case.errors |= {(SHORTHANDS[node.id], code) for code in rejected}
    for child in ast.iter_child_nodes(node):
        _read(child, case, rejected)


#: Helpers with one operation that a case may expect to be rejected.
SHORTHANDS: Final = {
    "put": "PutRecord",
    "create": "CreateStream",
    "scale": "UpdateShardCount",
    "set_mode": "UpdateStreamMode",
}


def _add_helpers(case: Case, known: dict[str, Case]) -> None:
    waiting, done = set(case.helpers), set()
    while waiting:
        name = waiting.pop()
        if name in done or name not in known:
            continue
        done.add(name)
        case.operations |= known[name].operations
        waiting |= known[name].helpers
