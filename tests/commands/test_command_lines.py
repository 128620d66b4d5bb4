"""Every command line that is printed means the same after it is pasted into a shell."""

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import virtual_time
from tests.cloud.deployment.support import account, stack
from tests.commands.support import run
from tests.pasting import HOSTILE, pasted
from truckstream.cloud.deployment.destroy import destroy
from truckstream.command_line import command_line
from truckstream.commands.aws_options import AwsOptions
from truckstream.commands.local import print_instructions
from truckstream.commands.output.change_dialog import ChangeDialog
from truckstream.local import LocalKinesis

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("word", ["plain", "", " ", HOSTILE, "it's", "-x", "a\nb", "ä/ö", "$HOME", "a=b c"])
def test_a_shell_gets_the_words_that_were_given(word, tmp_path):
    line = command_line("show", word, 1)
    assert pasted(line, tmp_path) == ["show", word, "1"]
    assert shlex.split(line) == ["show", word, "1"]


@pytest.mark.parametrize("word", ["a\tb", "\x1b]0;title\x07'\\", "ä\r\u202e", os.fsdecode(b"a\xff'")])
def test_control_characters_and_bytes_that_are_no_text_are_escaped(word):
    line = command_line("printf", "%s", word)
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)


def test_the_command_that_destroy_prints_can_be_pasted(tmp_path):
    found = account(stack("CREATE_COMPLETE", {"CreateStream": "false"}, StreamName=HOSTILE, BucketName=HOSTILE))
    found.responses["cloudformation.describe_stack_resources"] = [{"StackResources": []}]
    found.endpoint_url = "http://127.0.0.1:4566/a b"
    line = virtual_time.run(destroy(found, "acme", dry_run=True)).again
    where = ["--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:4566/a b"]
    expected = ["truckstream", "deploy", "--stack", "acme", *where, "--adopt", "--stream", HOSTILE, "--bucket", HOSTILE]
    assert pasted(line, tmp_path) == expected


def test_the_commands_after_an_interrupt_can_be_pasted(tmp_path):
    dialog = ChangeDialog(AwsOptions(stack=HOSTILE, region=HOSTILE, json=True), yes=True)
    dialog.confirm("")
    text = dialog.on_interrupt()
    status, cancel = (
        text.split("continues. ")[1].removesuffix(" rolls an update back.").split(" shows the outcome, and ")
    )
    assert pasted(status, tmp_path) == ["truckstream", "status", "--stack", HOSTILE, "--region", HOSTILE]
    assert pasted(cancel, tmp_path)[3:] == ["--stack-name", HOSTILE, "--region", HOSTILE]


def test_the_instructions_of_the_local_kinesis_can_be_pasted(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(LocalKinesis, "environment", lambda _: {"AWS_CA_BUNDLE": HOSTILE})
    kinesis = LocalKinesis("trucks")
    kinesis.endpoint_url = "http://127.0.0.1:1"
    print_instructions(kinesis, [(HOSTILE, 1)])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    export, _, put, _ = lines
    script = f'{export}; printf %s "$AWS_CA_BUNDLE"'
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == HOSTILE
    assert pasted(put, tmp_path)[4] == HOSTILE


@pytest.mark.parametrize(
    "name",
    [
        HOSTILE.replace("/", ""),
        pytest.param("ein Ordner mit „Ü“ 日本語", marks=pytest.mark.slow),
        pytest.param("\x1b[31m'", marks=pytest.mark.slow),
    ],
    ids=ascii,
)
def test_the_command_that_the_demo_prints_shows_a_record_of_a_directory_with_any_name(tmp_path, name):
    status, out, err = run("demo", "--seconds", "1", "--rate", "300", "--out", name, cwd=tmp_path)
    assert status == 0, err
    line = out.split("To see a record:\n")[1].splitlines()[0].strip()
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"truck_id"' in done.stdout
    assert list(tmp_path.glob("**/PWNED")) == []


#: A command in a text, up to the first value that is inserted into it.
COMMAND = re.compile(
    r"\b(truckstream (deploy|destroy|status|doctor|scale|provision|simulate|local|demo|policies|package|put|streams"
    r"|tail|init)"
    r"|aws (lambda|kinesis|s3|s3api|cloudformation|iam|kms|logs|sns)|head -n|export|cd|rm) [^.;,\n]*$"
)


def commands_with_inserted_values(path):
    """Yield the line of each f-string that inserts a value into a command, without `command_line`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    text += part.value
                elif COMMAND.search(text):
                    yield node.lineno
                    break


def test_no_command_line_is_made_without_quoting():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "truckstream").rglob("*.py"))
        for line in commands_with_inserted_values(path)
    ]
    assert found == [], "use truckstream.command_line.command_line"
