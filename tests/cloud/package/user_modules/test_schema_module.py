"""The schema of a deployment is loaded from the modules that the zip will have."""

import sys

import pytest

from truckstream.cloud.package.user_modules.included import read_include
from truckstream.cloud.package.user_modules.schema_module import load_schema
from truckstream.errors import ConfigurationError
from truckstream.record import TruckRecord


def test_a_schema_of_a_file_or_of_a_package_is_loaded(module):
    path = module("my_schema.py", "import msgspec\nclass Reading(msgspec.Struct):\n    sensor: int\n")
    assert load_schema("my_schema:Reading", [path]).__struct_fields__ == ("sensor",)
    package = module("fleet/__init__.py", "").parent
    module("fleet/units.py", "from my_schema import Reading as Same\n")
    assert load_schema("fleet.units:Same", [path, package]).__name__ == "Reading"
    assert load_schema("truckstream.record:TruckRecord", []) is TruckRecord


def test_a_link_to_a_file_has_its_own_name_as_in_the_zip(module, tmp_path):
    module("versions/schema_v2.py", "VALUE = 2\n")
    link = tmp_path / "my_schema.py"
    link.symlink_to("versions/schema_v2.py")
    assert read_include(link).files == {"my_schema.py": b"VALUE = 2\n"}
    assert load_schema("my_schema:VALUE", [link]) == 2


def test_nothing_of_the_module_stays_and_a_change_is_seen(module):
    path = module("my_schema.py", "VALUE = 1\n")
    before = list(sys.path)
    assert load_schema("my_schema:VALUE", [path]) == 1
    path.write_text("VALUE = 22222\n")
    assert load_schema("my_schema:VALUE", [path]) == 22222
    assert "my_schema" not in sys.modules
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other:Reading", "", "the zip would have no module other. Pass --include other.py"),
        ("my_schema:Reading", "", "has no attribute 'Reading'. Set it to module:name"),
        ("my_schema.deeper:Reading", "", "ModuleNotFoundError"),
        ("my_schema:Reading", "1 / 0\n", "ZeroDivisionError: division by zero"),
        ("my_schema:Reading", "def f(:\n", "SyntaxError"),
    ],
)
def test_a_schema_that_the_function_could_not_load_is_named(module, name, text, words):
    with pytest.raises(ConfigurationError, match=f"Schema is '{name}'.*{words}"):
        load_schema(name, [module("my_schema.py", text)])
