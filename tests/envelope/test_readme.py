"""The programs on the page of the format run, and its table of reasons matches the code."""

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

import truckstream.envelope
from tests.envelope.support import envelope_of
from truckstream.envelope import REASONS
from truckstream.envelope.wire_format import HEADER, MAX_RAW_SIZE, MAX_RECORDS, OVERHEAD
from truckstream.envelope.zstd_module import load_zstd
from truckstream.kpl import UserRecord

PAGE = Path(truckstream.envelope.__file__).with_name("README.md")
TEXT = PAGE.read_text(encoding="utf-8")
FIRST, LOOP, READER = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_program_runs(tmp_path):
    command = [sys.executable, "-W", "error", "-c", FIRST]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"7 None b'{{\"celsius\":{celsius}}}'" for celsius in (21, 22, 23)]


def test_the_loop_of_a_writer_takes_all_records():
    names = {"queue": deque([(b"data", "key")] * 10), "sent": [], "Envelope": truckstream.envelope.Envelope}
    exec(LOOP, names)
    assert (len(names["queue"]), len(names["sent"])) == (0, 10)


def test_the_reader_for_other_languages_reads_what_ours_reads():
    program = re.sub(r"from backports import zstd.*\n", "", READER)
    names = {"zstd": load_zstd()}
    exec(program, names)
    for hash_key in (None, "5"):
        records = [UserRecord(f"k{n % 7}", hash_key, b"%d" % n) for n in range(50)]
        read = list(names["read_records"](envelope_of(records).encode()))
        assert read == [(record.partition_key, record.data) for record in records]


def test_the_numbers_of_the_page_match_the_code():
    assert (HEADER.size, OVERHEAD) == (30, 34)
    assert f"1 to {MAX_RECORDS:,} |" in TEXT
    assert f"{MAX_RAW_SIZE // 2**20} MiB at most" in TEXT
    assert truckstream.envelope.MAGIC.hex(" ").upper() in TEXT


def test_the_table_of_reasons_matches_the_code():
    documented = re.search(r"<!-- reasons:.*?-->\n(.*?)<!-- /reasons -->", TEXT, re.DOTALL)[1]
    rows = [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    assert documented.strip().splitlines() == ["| reason | meaning |", "|---|---|", *rows]
