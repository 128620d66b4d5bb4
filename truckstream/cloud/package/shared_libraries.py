"""Shared libraries without what only debuggers read.

A file in ELF has segments, which the loader maps, and after them the symbol table and the names of all internal
functions: 2.8 of the 14 MB of obstore's library. `strip` knows one processor only and need not be installed, so the
end of the file is cut off here, with the section headers, which the loader does not read (System V ABI, "Program
Loading and Dynamic Linking"). What is lost are the names in the backtrace of a crash.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["without_symbols"]

#: ELF, 64 bits, little-endian: both processors of Lambda.
_MAGIC: Final = b"\x7fELF\x02\x01"
#: Where the header has the offset of the program headers, and their size and number.
_PROGRAM_HEADERS: Final = 32
_PROGRAM_HEADER_COUNTS: Final = 54
#: Where it has the offset of the section headers, and their number and the index of their names.
_SECTION_HEADERS: Final = 40
_SECTION_HEADER_COUNTS: Final = 60
#: Type, flags, offset, two addresses, and the size in the file.
_PROGRAM_HEADER: Final = struct.Struct("<IIQQQQ")


def without_symbols(library: bytes) -> bytes:
    """Return a shared library as far as the loader reads it; other files as they are."""
    if not library.startswith(_MAGIC):
        return library
    (start,) = struct.unpack_from("<Q", library, _PROGRAM_HEADERS)
    size, count = struct.unpack_from("<HH", library, _PROGRAM_HEADER_COUNTS)
    end = start + size * count
    for position in range(start, end, size):
        _, _, offset, _, _, in_file = _PROGRAM_HEADER.unpack_from(library, position)
        end = max(end, offset + in_file)
    cut = bytearray(library[:end])
    struct.pack_into("<Q", cut, _SECTION_HEADERS, 0)
    struct.pack_into("<HH", cut, _SECTION_HEADER_COUNTS, 0, 0)
    return bytes(cut)
