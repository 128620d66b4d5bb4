"""The page of errors lists every class with its attributes, and names no other."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import truckstream
from truckstream import errors
from truckstream.errors import InvalidArgumentError, TruckstreamError

PAGE = Path(truckstream.__file__).parent / "ERRORS.md"
ROWS = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
CELLS = {name: [cell.strip() for cell in row.split("|")] for name, row in ROWS}


def subclasses(kind):
    return {each for child in kind.__subclasses__() for each in {child, *subclasses(child)}}


def test_each_class_has_one_row():
    assert len(CELLS) == len(ROWS)
    assert set(errors.__all__) <= CELLS.keys()


def test_the_page_has_the_errors_of_all_packages():
    for module in pkgutil.walk_packages(truckstream.__path__, "truckstream."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    public = {each.__name__ for each in subclasses(TruckstreamError) if each.__module__.startswith("truckstream.")}
    assert CELLS.keys() - {"TruckstreamError"} == {name for name in public if not name.startswith("_")}


@pytest.mark.parametrize("name", errors.__all__)
def test_a_row_agrees_with_the_class(name):
    """An attribute that varies is the instance's own."""
    meaning, advice, retryable, may_be_stored = CELLS[name]
    error = getattr(errors, name)
    assert meaning.endswith(".")
    assert advice.endswith(".")
    for cell, value in ((retryable, error.retryable), (may_be_stored, error.may_be_stored)):
        assert cell in {"yes" if value else "no", "varies"}


def test_a_value_whose_repr_fails_does_not_hide_the_error():
    class Unprintable:
        def __repr__(self):
            raise RuntimeError

    assert str(InvalidArgumentError("data", Unprintable(), "a rule")) == "data is an object of Unprintable: a rule"
