"""`truckstream put`, run as a user runs it: each line is stored once, or reported with its number."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.commands.support import environment_of
from truckstream.envelope import is_envelope, read
from truckstream.local import Fault, LocalKinesis

pytestmark = pytest.mark.timeout(300)

#: Seconds to wait for an event that takes a second or two on an idle machine.
PATIENCE = 120

MIB = 1024 * 1024


@pytest.fixture
async def kinesis():
    async with LocalKinesis(stream="trucks", shards=2) as kinesis:
        yield kinesis


def put(kinesis, tmp_path, *arguments, **streams):
    """Start the command in an environment without region and credentials."""
    endpoint = ("--endpoint-url", kinesis.endpoint_url)
    return subprocess.Popen(
        [sys.executable, "-m", "truckstream", "put", *arguments, *endpoint],
        cwd=tmp_path,
        env=environment_of({"HOME": str(tmp_path)}),
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )


async def end(process, text=None):
    """Return the exit status of a command, its output and its error output."""
    out, err = await asyncio.to_thread(process.communicate, text, timeout=PATIENCE)
    assert b"Traceback" not in err, err
    return process.returncode, out.decode(), err.decode()


async def stored(kinesis, stream="trucks"):
    return [record async for record in kinesis.stored(stream)]


async def until(condition):
    """Poll until a condition of another process holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0.05)


async def wait_for_records(kinesis, count):
    async def enough():
        return (await kinesis.stats()).records_in >= count

    await until(enough)


async def test_each_line_becomes_a_record(kinesis, tmp_path):
    """Neither a region nor credentials are set: a server on this machine needs none."""
    status, out, err = await end(put(kinesis, tmp_path, "trucks"), b'{"a": 1}\n\nhello\r\n\xff\x00 last')
    assert (status, err) == (0, "")
    assert sorted(record.data for record in await stored(kinesis)) == [b"hello", b'{"a": 1}', b"\xff\x00 last"]
    assert "4 lines, 3 put, 3 acknowledged" in out
    assert "0 failed, 0 refused" in out


async def test_a_file_with_keys_from_a_field(kinesis, tmp_path):
    lines = [json.dumps({"truck": {"id": f"truck-{n % 7}"}, "n": n}) for n in range(500)]
    (tmp_path / "records.jsonl").write_text("\n".join(lines))
    arguments = ("trucks", "records.jsonl", "--key-field", "truck.id", "--ordered", "--aggregate", "--json")
    status, out, err = await end(put(kinesis, tmp_path, *arguments))
    assert (status, err) == (0, "")
    result = json.loads(out)
    assert (result["lines"], result["put"], result["acknowledged"], result["failed"]) == (500, 500, 500, 0)
    assert sum(result["shards"].values()) == 500
    assert result["seconds"] > 0
    assert (await kinesis.stats()).records_in < 100  # records of one shard share Kinesis records


async def test_lines_share_a_compressed_record(kinesis, tmp_path):
    lines = [b'{"n": %d, "padding": "%b"}' % (n, b"x" * 100) for n in range(50)]
    arguments = ("trucks", "--key", "k", "--compression", "zstd")
    status, _, err = await end(put(kinesis, tmp_path, *arguments), b"\n".join(lines))
    assert (status, err) == (0, "")
    records = await stored(kinesis)
    assert all(is_envelope(record.data) for record in records)
    assert [user.data for record in records for user in read(record.data)] == lines


async def test_the_records_of_one_key_keep_the_order_of_the_lines(kinesis, tmp_path):
    text = b"".join(b"%d\n" % n for n in range(50))
    status, _, err = await end(put(kinesis, tmp_path, "trucks", "--key", "k", "--ordered"), text)
    assert (status, err) == (0, "")
    records = await stored(kinesis)
    assert [(record.partition_key, record.data) for record in records] == [("k", b"%d" % n) for n in range(50)]


async def test_a_line_that_breaks_a_rule_is_reported_and_the_others_are_put(kinesis, tmp_path):
    lines = [
        b'{"id": "a"}',
        b"no JSON",
        b"",
        b'{"other": 1}',
        b'{"id": "' + b"k" * 257 + b'"}',
        b'{"id": "b", "text": "' + b"x" * MIB + b'"}',
        b"y" * (11 * MIB),
        b'{"id": "c"}',
    ]
    status, out, err = await end(put(kinesis, tmp_path, "trucks", "--key-field", "id", "--json"), b"\n".join(lines))
    assert status == 1
    assert sorted(record.partition_key for record in await stored(kinesis)) == ["a", "c"]
    problems = err.splitlines()
    starts = [
        "line 2: the line is no JSON, which --key-field needs",
        "line 4: id is missing: --key-field id needs it in each line",
        "line 5: partition_key is 'kkk",
        "line 6: the record has 1,048,600 bytes with its partition key; the stream's limit is 1,048,576 bytes",
        "line 7: the line has 11,534,336 bytes, more than any stream takes",
    ]
    assert [problem[: len(start)] for problem, start in zip(problems, starts, strict=True)] == starts
    result = json.loads(out)
    assert {name: result[name] for name in ("lines", "put", "acknowledged", "failed", "refused")} == {
        "lines": 8,
        "put": 2,
        "acknowledged": 2,
        "failed": 0,
        "refused": 5,
    }


async def test_records_that_the_service_rejects_are_reported_with_their_line(kinesis, tmp_path):
    await kinesis.inject(Fault("access-denied", operations=["PutRecords"]))
    status, out, err = await end(put(kinesis, tmp_path, "trucks", "--json"), b"a\n\nb\n")
    result = json.loads(out)
    assert (status, result["put"], result["acknowledged"], result["failed"]) == (1, 2, 0, 2)
    first, second = err.splitlines()
    assert first.startswith("line 1: not acknowledged: AccessDenied")
    assert second.startswith("line 3: not acknowledged: AccessDenied")


async def test_control_characters_of_a_line_do_not_reach_the_terminal(kinesis, tmp_path):
    status, _, err = await end(
        put(kinesis, tmp_path, "trucks", "--key-field", "a"), b'{"a": "\\u001b[31m' + b"x" * 300 + b'"}'
    )
    assert status == 1
    assert "\x1b" not in err


async def test_all_shards_take_records_also_after_a_split(kinesis, tmp_path):
    shard = {"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": str(2**126)}
    await kinesis.call("SplitShard", StreamName="trucks", **shard)
    status, out, _ = await end(put(kinesis, tmp_path, "trucks", "--json"), b"the same\n" * 400)
    assert status == 0
    counts = Counter(record.shard_id for record in await stored(kinesis))
    assert json.loads(out)["shards"] == counts
    assert sorted(counts) == ["shardId-000000000001", "shardId-000000000002", "shardId-000000000003"]


async def test_a_missing_stream_names_the_commands_that_help(kinesis, tmp_path):
    status, out, err = await end(put(kinesis, tmp_path, "nowhere", "--json"), b"a\n")
    assert status == 1
    assert "Stream nowhere under account" in err
    assert f"truckstream streams --endpoint-url {kinesis.endpoint_url} lists the streams that exist" in err
    assert "aws kinesis create-stream --stream-name nowhere --shard-count 1" in err
    assert json.loads(out)["error"]["kind"] == "StreamNotFoundError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no such name",), "stream_name is 'no such name'"),
        (("trucks", "missing.txt"), "FILE is 'missing.txt', which cannot be read (No such file or directory)"),
        (("trucks", "."), "FILE is '.', which cannot be read (Is a directory)"),
        (("trucks", "--ordered"), "--ordered needs keys that lines share"),
        (("trucks", "--key", "a", "--key-field", "b"), "--key cannot be used with --key-field"),
        (("trucks", "--region", "mars"), "region is 'mars'"),
    ],
)
async def test_an_invalid_option_is_named(tmp_path, arguments, message):
    nowhere = LocalKinesis()
    nowhere.endpoint_url = "http://127.0.0.1:1"
    status, _, err = await end(put(nowhere, tmp_path, *arguments), b"a\n")
    assert (status, message in err) == (2, True), err


async def test_closed_standard_input_is_named(tmp_path):
    closing = ("sh", "-c", '"$@" <&-', "sh", sys.executable, "-m", "truckstream", "put", "trucks")
    done = await asyncio.to_thread(subprocess.run, closing, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "standard input is closed" in done.stderr) == (2, True), done.stderr


# --- Large inputs and stopping ----------------------------------------------------------------------


#: Runs the command and prints the most memory that it took, in KiB.
MEASURED = """
from pathlib import Path
from truckstream.__main__ import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
async def test_100_000_lines_take_no_more_memory_than_the_buffer(tmp_path):
    """An input of 200 MB. The command takes 90 MiB without lines, and its producer has a buffer of 64 MiB."""
    with (tmp_path / "lines").open("wb") as file:
        file.writelines(b"%d %s\n" % (number, b"x" * 2000) for number in range(100_000))
    async with LocalKinesis(stream="trucks", shards=400, quotas=False, max_bytes=64 * MIB, own_process=True) as kinesis:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED, "put", "trucks", "lines", "--endpoint-url", kinesis.endpoint_url),
            cwd=tmp_path,
            env=environment_of({"HOME": str(tmp_path)}),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        assert (await kinesis.stats()).records_in == 100_000
    summary, peak = out.decode().splitlines()
    assert "100,000 put, 100,000 acknowledged" in summary
    assert int(peak) * 1024 < 200 * MIB, peak


async def test_ctrl_c_delivers_the_lines_that_were_read_from_a_pipe_that_never_ends(kinesis, tmp_path):
    process = put(kinesis, tmp_path, "trucks", "--json")
    process.stdin.write(b"a\nb\nc\n")
    process.stdin.flush()
    await wait_for_records(kinesis, 3)
    process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(process.wait, PATIENCE) == 0  # the pipe is still open
    result = json.loads(process.stdout.read())
    assert (result["put"], result["acknowledged"], result["refused"]) == (3, 3, 0)
    assert process.stderr.read() == b""
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


async def test_half_a_line_is_not_put_when_ctrl_c_stops_the_input(kinesis, tmp_path):
    process = put(kinesis, tmp_path, "trucks")
    process.stdin.write(b"whole\nha")
    process.stdin.flush()
    await wait_for_records(kinesis, 1)
    process.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(process.wait, PATIENCE)
    err = process.stderr.read().decode()
    assert (status, err) == (1, "line 2: the line had no end yet when the command was stopped\n")
    assert [record.data for record in await stored(kinesis)] == [b"whole"]
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


async def test_a_second_ctrl_c_gives_up_the_lines_and_reports_them(kinesis, tmp_path):
    await kinesis.inject(Fault("error-before", operations=["PutRecords"]))
    process = put(kinesis, tmp_path, "trucks", "--json")
    process.stdin.write(b"a\nb\n")
    process.stdin.flush()

    async def struck():
        return sum((await kinesis.stats()).faults.values()) > 0

    await until(struck)
    for number in (signal.SIGINT, signal.SIGTERM):  # two signals of one kind can be merged into one
        process.send_signal(number)
    status, out, err = await end(process)
    result = json.loads(out)
    assert (status, result["put"], result["acknowledged"], result["failed"]) == (130, 2, 0, 2)
    assert "line 1: not acknowledged" in err
    assert "line 2: not acknowledged" in err
