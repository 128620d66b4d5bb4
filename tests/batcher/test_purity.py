"""The thinking of the batcher knows no event loop, clock, chance or store."""

import ast
from pathlib import Path

import pytest

import truckstream.batcher

FOLDER = Path(truckstream.batcher.__file__).parent
SHELL = {"__init__", "batcher", "commit", "store"}
WORLD = {"asyncio", "time", "random", "os", "socket", "threading", "obstore", "logging", "secrets", "uuid"}
CORES = sorted(path for path in FOLDER.glob("*.py") if path.stem not in SHELL)


@pytest.mark.parametrize("path", CORES, ids=lambda path: path.stem)
def test_a_core_file_knows_no_world(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert not imported & WORLD
