"""`truckstream status --watch`, run as a user runs it."""

import asyncio
import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.commands.support import AWS, environment_of, run, start
from truckstream.cloud.watch.figures import Figures
from truckstream.cloud.watch.status_page import Status
from truckstream.commands.aws_options import AwsOptions
from truckstream.commands.watch import redraw
from truckstream.errors import AwsError

#: The stack does not exist, which is a page, too.
WATCH = ("status", "--watch", "--interval", "1", "--stack", "nowhere")
PAGE = "stack     nowhere in us-east-1: none"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_shown_again_until_a_signal_which_is_a_normal_end(moto_url, tmp_path, number):
    process = start(*WATCH, cwd=tmp_path, **AWS, AWS_ENDPOINT_URL=moto_url)
    pages = 0
    while pages < 2:
        line = process.stdout.readline()
        assert line, process.communicate()
        pages += line.startswith(PAGE)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in out + err) == (0, False), err


def test_on_a_terminal_the_page_is_redrawn_in_place(moto_url, tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "truckstream", *WATCH],
        cwd=tmp_path,
        env=environment_of({**AWS, "AWS_ENDPOINT_URL": moto_url, "TERM": "xterm", "LINES": "60"}),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while text.count(PAGE.encode()) < 2:
        text += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(ours)
    between = text.split(PAGE.encode())[1]
    assert b"\x1b[1A\x1b[2K" in between, "the cursor did not return to the first line of the page"


def test_an_error_before_the_first_page_ends_the_command(tmp_path):
    status, _, err = run(*WATCH, cwd=tmp_path, **AWS, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (status, "Check the network connection" in err) == (3, True), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--watch", "--json"), "--watch cannot be used with --json"),
        (("--watch", "--interval", "0.5"), "interval is 0.5: must be at least 1 second"),
    ],
)
def test_an_invalid_combination_is_an_error(tmp_path, arguments, message):
    status, _, err = run("status", *arguments, cwd=tmp_path, **AWS)
    assert (status, message in err) == (2, True), err


async def test_a_later_error_leaves_the_last_page_with_a_remark(monkeypatch, fake_credentials, capsys):  # noqa: ARG001
    results = [
        Status("acme", "us-east-1", "UPDATE_COMPLETE", None, None, None, None, Figures(60)),
        AwsError("Throttling", "Rate exceeded", operation="cloudformation:DescribeStacks", hint=""),
        asyncio.CancelledError(),
    ]

    async def read_status(*_, **__):
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr("truckstream.cloud.watch.status.read_status", read_status)
    with pytest.raises(asyncio.CancelledError):
        await redraw(AwsOptions(region="us-east-1"), None, 60, 0.001)
    first, second = capsys.readouterr().out.split("stack     acme in us-east-1: UPDATE_COMPLETE")[1:]
    assert "every 0.001 s until Ctrl-C" in first
    assert "UTC: could not be read again: cloudformation:DescribeStacks: Throttling" in second
