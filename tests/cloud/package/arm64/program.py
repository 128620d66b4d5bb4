"""Run in the emulator: import each shared library of a function's package, use some, and import the handler.

Arguments: the folder of the package, which is on the path, and the module of the handler. Writes a JSON object.
"""

import asyncio
import importlib
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import obstore
from backports import zstd
from obstore.store import MemoryStore

FOLDER, HANDLER = sys.argv[1:]
TEXT = b"position of a truck, " * 10_000


def module_of(library: Path) -> str:
    """The name of the module in a shared library, such as msgspec._core."""
    path = library.relative_to(FOLDER)
    return ".".join([*path.parent.parts, path.name.partition(".")[0]])


def raises(kind: type[Exception], call: Callable[[], object]) -> bool:
    try:
        call()
    except kind:
        return True
    return False


def compress() -> bool:
    compressed = zstd.compress(TEXT)
    whole = len(compressed) < 1_000 and zstd.decompress(compressed) == TEXT
    return whole and raises(zstd.ZstdError, lambda: zstd.decompress(TEXT))


def decode() -> bool:
    whole = msgspec.json.decode(b'{"lat": [1.5]}', type=dict[str, list[float]]) == {"lat": [1.5]}
    return whole and raises(msgspec.ValidationError, lambda: msgspec.json.decode(b"{}", type=int))


def store() -> bool:
    """Store an object, and read it in the threads of the library, which have thread-local data."""
    memory = MemoryStore()
    obstore.put(memory, "a", TEXT)

    async def read() -> bytes:
        return bytes(await (await obstore.get_async(memory, "a")).bytes_async())

    return asyncio.run(read()) == TEXT and raises(FileNotFoundError, lambda: obstore.get(memory, "b"))


names = sorted(map(module_of, Path(FOLDER).rglob("*.so")))
files = [importlib.import_module(name).__file__ for name in names]
facts = {
    "machine": platform.machine(),
    "imported": names,
    "from the package": all(Path(file).is_relative_to(FOLDER) for file in files),
    "used": {each.__name__: each() for each in (compress, decode, store)},
    "handler": importlib.import_module(HANDLER).__file__,
}
sys.stdout.write(json.dumps(facts))
