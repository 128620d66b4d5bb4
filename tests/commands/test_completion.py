"""`truckstream --install-completion` writes a script that the shell accepts and that knows every command."""

import shutil
import subprocess

import pytest

from tests.commands.support import run
from truckstream.commands.app import app

#: A script of bash that completes two lines, as the key Tab does.
COMPLETES = r"""
source ~/.bashrc
function=$(complete -p truckstream | sed 's/.*-F \([^ ]*\).*/\1/')
complete_line() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
    "$function" truckstream "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[@]}"
}
complete_line truckstream sim
complete_line truckstream simulate --dry
"""
COMMANDS = {name for name in app if not name.startswith("-")}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_all_commands(shell, tmp_path):
    script = app.generate_completion(shell=shell)
    assert {name for name in COMMANDS if name in script} == COMMANDS
    assert len(COMMANDS) >= 15
    assert "endpoint-url" in script
    program = shutil.which(shell)
    assert program or shell != "bash"
    if program:  # zsh and fish are not on every machine
        file = tmp_path / "script"
        file.write_text(script)
        subprocess.run([program, "-n", file], check=True)  # -n reads the script and executes nothing


def test_bash_completes_a_command_and_an_option(tmp_path):
    status, _, err = run("--install-completion", "--shell", "bash", cwd=tmp_path, HOME=str(tmp_path))
    assert status == 0, err
    done = subprocess.run(
        ["bash", "-c", COMPLETES],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["simulate", "--dry-run"], done.stderr
