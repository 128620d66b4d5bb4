"""The page of differences is up to date, and the product's page has the same numbers."""

import re
from pathlib import Path

from tests.contract.cases import cases
from tests.contract.differences import KNOWN, LACKS, PAGE, render
from tests.contract.servers import TITLES

LOCAL_PAGE = Path(__file__).parents[2] / "truckstream" / "local" / "README.md"


def test_the_page_is_up_to_date():
    """README.md is the output of `python -m tests.contract.differences`."""
    assert PAGE.read_text() == render(), "run python -m tests.contract.differences"


def test_the_page_of_the_local_kinesis_has_the_same_numbers():
    text = LOCAL_PAGE.read_text(encoding="utf-8")
    assert f"| differences in {len(cases())} cases |" in text
    for server, title in TITLES.items():
        lacks = f", and lacks {len(LACKS[server])} operations" if server in LACKS else ""
        assert re.search(rf"^\| {re.escape(title)} \| {len(KNOWN[server])}{lacks} \|", text, re.MULTILINE), title
