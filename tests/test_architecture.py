"""The architecture is a test: which package may import which, what the cores may not know, and what an import costs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import truckstream

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "truckstream").rglob("*.py"), *(ROOT / "lambda_entry").rglob("*.py")])

#: Each part and the parts that it may import: the direction of design, from the command down to the errors.
ALLOWED = {
    "errors": set(),
    "metrics": set(),
    "record": {"errors"},
    "kpl": {"errors"},
    "fleet": {"record", "errors"},
    "config": {"errors"},
    "kinesis": {"errors"},
    "producer": {"kinesis", "kpl", "errors"},
    "batcher": {"record", "kpl", "errors"},
    "otel": {"producer", "metrics", "truckstream"},
    "local": {"errors"},
    "pytest_plugin": {"local"},
    "demo": {"handler", "local", "producer", "kinesis", "fleet", "record", "errors"},
    "simulate": {"producer", "kinesis", "fleet", "errors"},
    "cloud": {"config", "errors", "metrics", "truckstream"},
    "handler": {"batcher", "metrics", "record", "errors"},
    "aws_console": {"cloud", "config", "errors"},
    "aws_commands": {"aws_console", "cloud", "config", "errors"},
    "cli": {
        "aws_commands",
        "aws_console",
        "cloud",
        "demo",
        "simulate",
        "local",
        "fleet",
        "config",
        "errors",
        "truckstream",
    },
    "__main__": {"cli"},
    # Names for the reader of a type only: nothing loads before it is used.
    "truckstream": {"batcher", "errors", "fleet", "producer", "record"},
}

#: Folders that think, and the few files in them that do: the shells. In all others time and chance are arguments.
SHELLS = {
    "truckstream/kinesis": {"client", "connections", "gateway", "proxied"},
    "truckstream/producer": {"delivery", "home", "producer", "room", "watch"},
    "truckstream/batcher": {"batcher", "commit", "store", "threads"},
    "truckstream/local/service": set(),
    "truckstream/local/mapping": {"context", "invoker", "mapping"},
    "truckstream/cloud": {"account", "artifacts", "deployment", "package", "stacks"},
    "truckstream/demo": {"backend", "display", "feed", "objects", "run"},
}
CORES = [
    *(f"truckstream/{name}.py" for name in ("record", "kpl", "errors", "metrics")),
    *(
        str(path.relative_to(ROOT))
        for folder, shells in SHELLS.items()
        for path in sorted((ROOT / folder).glob("*.py"))
        if path.stem not in {"__init__", *shells}
    ),
]
WORLD = {
    *("asyncio", "concurrent", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"),
    *("uuid", "aiobotocore", "aiohttp", "obstore"),
}


def part_of(path):
    relative = path.relative_to(ROOT)
    if relative.parts[0] == "lambda_entry":
        return "handler"
    if len(relative.parts) == 2:
        return "truckstream" if relative.stem == "__init__" else relative.stem
    return relative.parts[1]


def imports_of(path, *, at_runtime=False):
    """The modules that a file imports; `at_runtime` leaves out those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if at_runtime and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield from (
                [f"truckstream.{alias.name}" for alias in node.names] if node.module == "truckstream" else [node.module]
            )


def parts_imported(path):
    for module in imports_of(path):
        first, _, rest = module.partition(".")
        if first == "lambda_entry":
            yield "handler"
        elif first == "truckstream":
            name = rest.split(".", maxsplit=1)[0]
            yield name if name in ALLOWED else "truckstream"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    part = part_of(path)
    assert set(parts_imported(path)) - {part} <= ALLOWED[part]


@pytest.mark.parametrize("name", CORES)
def test_a_core_knows_no_world(name):
    imported = {module.split(".", maxsplit=1)[0] for module in imports_of(ROOT / name, at_runtime=True)}
    assert not imported & WORLD


def loaded_by(statement):
    """The modules that a fresh interpreter has after `statement`."""
    code = f"import sys, json; {statement}; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import truckstream", {"truckstream.producer", "truckstream.batcher", "msgspec", "asyncio"}),
        (
            "import lambda_entry.handler",
            {"aiohttp", "botocore", "boto3", "aiobotocore", "truckstream.producer", "truckstream.local", "rich"},
        ),
        ("import truckstream.batcher", {"aiohttp", "botocore", "aiobotocore", "truckstream.producer"}),
        ("import truckstream.producer", {"botocore", "aiobotocore", "truckstream.batcher", "obstore", "opentelemetry"}),
        ("import truckstream.local", {"botocore", "aiobotocore", "truckstream.kinesis", "truckstream.producer"}),
        ("import truckstream.cli", {"botocore", "aiobotocore", "aiohttp", "obstore"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_import_loads_no_more_than_it_needs(statement, unwanted):
    assert not loaded_by(statement) & unwanted


def test_the_public_names_load_when_used():
    for name in truckstream.__all__:
        assert getattr(truckstream, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = truckstream.Nothing
