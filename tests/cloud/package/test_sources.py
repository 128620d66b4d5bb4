"""The source files of the function's zip are those that its handler can import."""

import json
import subprocess
import sys

from tests.cloud.parsed_template import ROOT
from truckstream.cloud.package.dependencies.requirements import REQUIREMENTS, distributions_for
from truckstream.cloud.package.sources import imported_modules, needed_sources

ROOTS = {name: ROOT / name for name in ("truckstream", "lambda_entry")}


def test_the_needed_sources_include_every_module_that_the_handler_loads():
    code = "import sys, json, lambda_entry.handler; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name for name in json.loads(done.stdout) if name.partition(".")[0] in ROOTS}
    needed = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in needed_sources(ROOTS).files
    }
    assert loaded <= needed
    assert not {name for name in needed if name.split(".")[1:2] in (["producer"], ["local"], ["cloud"], ["cli"])}


def test_the_requirements_are_the_third_party_packages_that_the_handler_imports():
    optional = {"arro3", "botocore", "compression", "pybase64"}  # used only if they are installed
    foreign = set(needed_sources(ROOTS).foreign) - sys.stdlib_module_names - optional
    assert {name for each in foreign for name in distributions_for(each)} == set(REQUIREMENTS)
    assert all(map(distributions_for, foreign))


def test_an_import_for_type_checkers_does_not_count():
    source = (
        b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import b\nfrom c import d\n"
    )
    assert list(imported_modules(source)) == ["typing", "typing.TYPE_CHECKING", "c", "c.d", "b"]


def test_an_import_within_a_function_counts(tmp_path):
    (tmp_path / "top" / "deep").mkdir(parents=True)
    (tmp_path / "top" / "__init__.py").write_text("")
    (tmp_path / "top" / "entry.py").write_text("def f():\n    from top.deep import leaf\n    import msgspec\n")
    (tmp_path / "top" / "deep" / "__init__.py").write_text("")
    (tmp_path / "top" / "deep" / "leaf.py").write_text("import os.path\n")
    (tmp_path / "top" / "unused.py").write_text("import boto3\n")
    found = needed_sources({"top": tmp_path / "top"}, "top.entry")
    assert sorted(found.files) == ["top/__init__.py", "top/deep/__init__.py", "top/deep/leaf.py", "top/entry.py"]
    assert found.foreign == {"msgspec": "top/entry.py", "os": "top/deep/leaf.py"}
