"""`truckstream init` at a terminal and without one."""

import os
import pty
import select
import subprocess
import sys

import pytest

from tests.commands.support import environment_of, run

INTERRUPT = "\x03"
ANSWERED = "AWS_REGION=eu-west-1\n\n# The Kinesis stream: its name or its ARN.\nSTREAM_NAME=trucks\n"


#: The program, started so that Ctrl-C of the terminal reaches it.
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "truckstream", "init", *sys.argv[1:]])
"""


def converse(steps, cwd, *options, **environment):
    """Run the command at a terminal. Each step is a text to wait for, and what is then typed."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", AT_THE_TERMINAL, *options],
        cwd=cwd,
        env=environment_of(environment),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown, seen = "", 0
    for awaited, typed in steps:
        while awaited not in shown[seen:]:
            shown += os.read(ours, 4096).decode()
        seen = shown.index(awaited, seen) + len(awaited)
        os.write(ours, typed.encode())
    try:
        while True:
            # A signal between the output of a question and the reading of its answer waits for another key.
            if typed == INTERRUPT and not select.select([ours], [], [], 1)[0]:
                os.write(ours, typed.encode())
            if not (chunk := os.read(ours, 4096).decode()):
                break
            shown += chunk
    except OSError:  # the terminal has no other end any more
        pass
    os.close(ours)
    return process.wait(timeout=20), shown.replace("\r\n", "\n")


def test_a_dialog_writes_a_file_that_only_its_owner_can_read(tmp_path):
    steps = [
        ("bucket (empty: the region of your AWS profile): ", "nowhere\n"),
        ("region is 'nowhere' (from your answer). It must be an AWS region", "eu-west-1\n"),
        ("ARN [truck-sensor-stream]: ", "trucks\n"),
        ("stored (empty: ", "\n"),
    ]
    status, shown = converse(steps, tmp_path)
    assert status == 0, shown
    assert (tmp_path / ".env").read_text().endswith(ANSWERED)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


OLD = "AWS_SECRET_ACCESS_KEY=secret\nSTREAM_NAME=old\n"
ENTER = [("profile): ", "\n"), ("ARN [old]: ", "trucks\n"), ("stored (", "\n")]


@pytest.mark.parametrize(("answer", "status", "stream"), [("y\n", 0, "trucks"), ("n\n", 1, "old"), ("\n", 1, "old")])
def test_an_existing_file_changes_after_its_change_was_confirmed(answer, status, stream, tmp_path):
    (tmp_path / ".env").write_text(OLD)
    (tmp_path / ".env").chmod(0o640)
    ended, shown = converse([*ENTER, ("Change .env? [y/N] ", answer)], tmp_path)
    assert ended == status, shown
    assert (tmp_path / ".env").read_text() == OLD.replace("old", stream)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o640
    assert "-STREAM_NAME=old\n+STREAM_NAME=trucks\n" in shown
    assert "secret" not in shown


@pytest.mark.parametrize("key", [INTERRUPT, "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("questions", [0, 2, 3])
def test_an_interrupt_writes_nothing(key, questions, tmp_path):
    (tmp_path / ".env").write_text(OLD)
    last = [*(awaited for awaited, _ in ENTER), "Change .env? [y/N] "][questions]
    status, shown = converse([*ENTER[:questions], (last, key)], tmp_path)
    assert status == 130
    assert "Interrupted: nothing was written." in shown
    assert "Traceback" not in shown
    assert (tmp_path / ".env").read_text() == OLD


def test_without_a_terminal_missing_answers_are_an_error(tmp_path):
    status, _, err = run("init", "--region", "eu-west-1", cwd=tmp_path)
    assert status == 2
    assert "--stream is missing. There is no terminal to ask at" in err
    assert not (tmp_path / ".env").exists()


def test_without_a_terminal_all_answers_may_be_options_but_a_change_needs_yes(tmp_path):
    options = ("--region", "eu-west-1", "--stream", "trucks", "--bucket", "acme-truck-data")
    assert run("init", *options, cwd=tmp_path)[0] == 0
    before = (tmp_path / ".env").read_text()
    status, _, err = run("init", *options[:-1], "other-bucket", cwd=tmp_path)
    assert status == 2
    assert "--yes is missing" in err
    assert (tmp_path / ".env").read_text() == before
    status, _, err = run("init", "--yes", "--bucket", "other-bucket", cwd=tmp_path)
    assert status == 0, err
    assert (tmp_path / ".env").read_text() == before.replace("acme-truck-data", "other-bucket")


def test_yes_does_not_write_an_invalid_value_again(tmp_path):
    (tmp_path / ".env").write_text("BUCKET_NAME=Bad\n")
    status, _, err = run("init", "--yes", cwd=tmp_path)
    assert status == 2
    assert "bucket_name is 'Bad' (from BUCKET_NAME in .env)" in err


def test_a_variable_of_the_environment_that_counts_more_is_named(tmp_path):
    status, out, _ = run("init", "--yes", "--stream", "trucks", cwd=tmp_path, STREAM_NAME="other")
    assert status == 0
    assert "STREAM_NAME in the environment is 'other' and overrides .env" in out
