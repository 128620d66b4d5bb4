"""Paste a printed command line into a shell."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: A text that splits, quotes, expands and runs commands when it is pasted without quotes.
HOSTILE = """a $(touch PWNED) 'b' "c" `touch PWNED`; touch PWNED & \\ * ~ # !"""


def pasted(line: str, folder: Path) -> list[str]:
    """Return the words that a shell passes to the command of a pasted line. The command itself does not run."""
    subprocess.run(["sh", "-n"], input=line, text=True, check=True)
    program = line.split(maxsplit=1)[0]
    # The function has the command's name, so that it runs in its place.
    script = f'{program}() {{ for word in {program} "$@"; do printf \'%s\\0\' "$word"; done; }}\n{line}\n'
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert list(folder.glob("**/PWNED")) == []
    return done.stdout.split("\0")[:-1]
