"""The page of differences is written by `python -m tests.contract.differences`."""

from tests.contract.differences import PAGE, render


def test_the_page_is_up_to_date():
    """README.md is what the table renders to."""
    assert PAGE.read_text() == render(), "run python -m tests.contract.differences"
