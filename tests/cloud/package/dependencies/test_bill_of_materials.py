"""The bill of materials names every package of the zip, as CycloneDX's own library reads it."""

import json
from importlib.metadata import version

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from truckstream import __version__
from truckstream.cloud.package.dependencies.bill_of_materials import bill_of_materials
from truckstream.cloud.package.dependencies.requirements import pinned_versions
from truckstream.cloud.package.dependencies.wheels import read_wheels

LINUX = {"python": "3.13", "platform": "aarch64-manylinux_2_28"}


@pytest.fixture
async def wheels():
    return await read_wheels(["msgspec", "obstore", "typing-extensions"], **LINUX)


def test_the_bill_follows_the_schema_of_its_version(wheels):
    bill = bill_of_materials(wheels, ["my_schema"]).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_it_names_packages_with_version_licence_and_url(wheels):
    bill = Bom.from_json(json.loads(bill_of_materials(wheels)))
    found = {str(each.purl): [licence.value for licence in each.licenses] for each in bill.components}
    assert found == {
        f"pkg:pypi/truckstream@{__version__}": ["MIT"],
        f"pkg:pypi/msgspec@{version('msgspec')}": ["BSD-3-Clause"],
        f"pkg:pypi/obstore@{version('obstore')}": [],  # its METADATA has no licence expression
        f"pkg:pypi/typing-extensions@{pinned_versions()['typing-extensions']}": ["PSF-2.0"],
    }


def test_it_refers_to_the_bill_that_a_package_brings(wheels):
    components = json.loads(bill_of_materials(wheels))["components"]
    [own] = [each["externalReferences"] for each in components if "externalReferences" in each]
    [path] = [name for name in wheels if "/sboms/" in name]
    assert own == [{"type": "bom", "url": path}]


def test_it_names_a_users_modules_and_the_same_contents_make_the_same_bytes(wheels):
    bill = bill_of_materials(wheels, ["my_schema", "a_schema"])
    assert [each["name"] for each in json.loads(bill)["components"]][-2:] == ["a_schema", "my_schema"]
    assert bill == bill_of_materials(dict(reversed(wheels.items())), ["a_schema", "my_schema"])
