"""The worker's page agrees with the command, and its program is valid."""

import inspect
import re
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

from truckstream.commands.worker import worker
from truckstream.config import SETTINGS
from truckstream.worker import Worker

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "truckstream" / "worker" / "README.md").read_text(encoding="utf-8")


def rows():
    table = TEXT.split("<!-- options:")[1].split("<!-- /options -->")[0]
    cells = [[cell.strip().strip("`") for cell in row.split("|")[1:-1]] for row in table.splitlines()[3:] if row]
    return {flag: (variable, default) for flag, variable, default, _ in cells}


def variable_of(name):
    """The variable that sets an option of the command."""
    hint = get_type_hints(worker, include_extras=True)[name]
    if get_origin(hint) is Annotated:
        return get_args(hint)[1].env_var[0]
    return {f: setting.variables[0] for setting in SETTINGS for f in [setting.flag.removeprefix("--")]}.get(name)


def test_the_table_lists_the_options_of_the_command():
    parameters = inspect.signature(worker).parameters
    assert list(rows()) == [f"--{name.replace('_', '-')}" for name in parameters]
    for name, parameter in parameters.items():
        variable, default = rows()[f"--{name.replace('_', '-')}"]
        if name != "endpoint_url":
            assert variable == variable_of(name), name
        if name != "stream":
            assert default == ("" if parameter.default is None else str(parameter.default)), name


def test_the_command_and_the_worker_have_the_same_defaults():
    command, library = inspect.signature(worker).parameters, inspect.signature(Worker).parameters
    shared = command.keys() & library.keys() - {"stream"}
    assert shared == {"application", "max_wait", "max_group_bytes", "max_in_flight", "grace", "stuck_after"}
    assert {name: command[name].default for name in shared} == {name: library[name].default for name in shared}


def test_the_program_is_valid():
    [program] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    assert inspect.iscoroutinefunction(names["main"])


def test_its_links_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / "truckstream" / "worker" / link).exists(), link
    assert (ROOT / "examples" / "worker" / "policy.json").exists()
