"""The wheel contains both packages and works without the checkout."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires, version
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = {".json", ".py", ".sql", ".toml", ".typed", ".md", ".txt", ".yaml"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The folder of the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["uv", "build", "--wheel", "--quiet", "--out-dir", folder, ROOT], check=True)
    [built] = folder.glob("truckstream-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_it_has_every_source_file_and_nothing_else(wheel):
    sources = {path.relative_to(ROOT) for name in ("truckstream", "lambda_entry") for path in (ROOT / name).rglob("*")}
    of_the_page = {path for path in sources if "static" in path.parts and (ROOT / path).is_file()}
    wanted = of_the_page | {path for path in sources if path.suffix in SUFFIXES}
    found = {path.relative_to(wheel) for path in wheel.rglob("*") if path.is_file()}
    assert {path for path in found if not path.parts[0].endswith(".dist-info")} == wanted


def test_it_works_without_the_checkout(wheel, tmp_path):
    code = (
        "import truckstream, lambda_entry.handler, sys; print(truckstream.__file__); "
        "from truckstream import Fleet, TruckRecord; print(Fleet(seed=1).take(1)[0].record().truck_id)"
    )
    isolated = {"PYTHONPATH": str(wheel), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=isolated, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(wheel / "truckstream" / "__init__.py"), "TRUCK_001"]


def test_the_command_and_the_licence_are_declared(wheel):
    [info] = wheel.glob("*.dist-info")
    assert "truckstream = truckstream.__main__:main" in (info / "entry_points.txt").read_text()
    assert "License-Expression: MIT AND ISC\n" in (info / "METADATA").read_text()
    assert (info / "licenses" / "LICENSE").exists()


def test_the_dashboard_is_whole_and_has_the_licences_of_its_parts(wheel):
    """The page needs no network and no build: all that it loads is in the wheel, each licence beside its files."""
    static = wheel / "truckstream" / "dashboard" / "static"
    vendored = {path.name for path in (static / "vendor").iterdir()}
    assert vendored == {"borders.json", "uplot.css", "uplot.js", "LICENSE.uplot.txt", "LICENSE.world-atlas.txt"}
    [info] = wheel.glob("*.dist-info")
    for name, holder in (("LICENSE.uplot.txt", "Leon Sorokin"), ("LICENSE.world-atlas.txt", "Michael Bostock")):
        assert holder in (static / "vendor" / name).read_text()
        assert (info / "licenses" / "truckstream" / "dashboard" / "static" / "vendor" / name).exists()
    own = [
        path for path in static.rglob("*.*") if path.suffix in {".html", ".css", ".js"} and "vendor" not in path.parts
    ]
    texts = [path.read_text(encoding="utf-8") for path in own]
    addresses = {found for text in texts for found in re.findall(r"https?://[\w./-]+", text)}
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_its_fixtures_are_found_by_a_test_copied_from_the_page(wheel, tmp_path):
    page = (ROOT / "truckstream" / "local" / "README.md").read_text(encoding="utf-8")
    pasted = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def test_" in block)
    test_of_origin = (
        f"\n\ndef test_whose(kinesis):\n    assert {str(wheel)!r} in type(kinesis).__init__.__code__.co_filename\n"
    )
    (tmp_path / "test_shipping.py").write_text(pasted + test_of_origin, encoding="utf-8")
    isolated = {"PYTHONPATH": str(wheel), "PATH": ""}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:anyio", "test_shipping.py"]
    done = subprocess.run(command, env=isolated, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert "5 passed" in done.stdout, done.stdout + done.stderr


def upper_bound(requirement):
    return re.search(r"<([\d.]+)", requirement)[1]


def test_the_extra_boto3_has_the_boto3_of_the_newest_aiobotocore_that_it_allows():
    """Otherwise pip searches for minutes: each release of boto3 requires its own botocore, as does aiobotocore."""
    aiobotocore, boto3 = PROJECT["optional-dependencies"]["boto3"]
    major, minor, _ = version("aiobotocore").split(".")
    assert upper_bound(aiobotocore) == f"{major}.{int(minor) + 1}"
    [botocore] = [each for each in requires("aiobotocore") if each.startswith("botocore<")]
    assert upper_bound(boto3) == upper_bound(botocore)


def test_aioboto3_can_be_installed_beside_every_extra():
    """aioboto3 15.5 requires aiobotocore 2.25.1, with boto3 from 1.40.46 on."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    bounds = [each for each in chain(*lists) if each.startswith(("aiobotocore", "boto3"))]
    assert {re.match(r"[a-z0-9]+>=[\d.]+", each)[0] for each in bounds} == {"aiobotocore>=2.25", "boto3>=1.40.46"}
