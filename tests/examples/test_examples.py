"""Every example in examples/ runs as its head says, on the local Kinesis."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from truckstream.local import BlockingKinesis, Fault

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def environment(kinesis=None, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | (kinesis.environment() if kinesis else {}) | {"NO_PROXY": "127.0.0.1", **variables}


def start(*words, cwd, env):
    return subprocess.Popen(
        [sys.executable, *words], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def post(url, body):
    """Return the status, the headers and the document of a response."""
    try:
        response = build_opener(ProxyHandler({})).open(Request(url, data=body, method="POST"), timeout=30)
    except HTTPError as error:
        response = error
    with response:
        return response.status, response.headers, json.load(response)


@pytest.fixture
def service(tmp_path):
    """Start the FastAPI service under uvicorn; `stop()` ends it and returns its log."""
    processes = []

    def begin(kinesis, **variables):
        command = ("-m", "uvicorn", "--app-dir", EXAMPLES, "--port", "0", "fastapi_service:app")
        process = start(*command, cwd=tmp_path, env=environment(kinesis, STREAM_NAME=kinesis.stream_name, **variables))
        processes.append(process)
        log = ""
        while not (found := re.search(r"running on (http://127\.0\.0\.1:\d+)", log)):
            line = process.stderr.readline()
            assert line, log
            log += line

        def stop():
            process.send_signal(signal.SIGTERM)
            return log + process.communicate(timeout=30)[1]

        return found[1], stop

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_the_service_answers_at_once_or_waits_for_the_acknowledgement_and_delivers_the_rest_at_its_end(service):
    with BlockingKinesis() as kinesis:
        url, stop = service(kinesis)
        status, _, document = post(f"{url}/trucks/T1/reports?wait=true", b"first")
        assert (status, document["status"], document["shard"]) == (201, "stored", "shardId-000000000000")
        assert [post(f"{url}/trucks/T1/reports", b"later")[0] for _ in range(20)] == [202] * 20
        assert post(f"{url}/trucks/T1/reports", b"x" * 11_000_000)[0] == 413
        log = stop()
        stored = [(record.partition_key, record.data) for record in kinesis.stored()]
    assert sorted(stored) == [("T1", b"first"), *[("T1", b"later")] * 20]
    assert "Traceback" not in log


def test_the_service_refuses_reports_while_its_buffer_is_full(service):
    with BlockingKinesis() as kinesis:
        url, stop = service(kinesis, BUFFER_BYTES="20000")
        kinesis.inject(Fault("throttle", rate=1.0))
        answers = [post(f"{url}/trucks/T1/reports", b"x" * 8_000) for _ in range(3)]
        assert [status for status, _, _ in answers] == [202, 202, 503]
        assert answers[-1][1]["Retry-After"] == "1"
        kinesis.clear_faults()
        deadline = time.monotonic() + 30
        while post(f"{url}/trucks/T1/reports?wait=true", b"y" * 8_000)[0] != 201:
            assert time.monotonic() < deadline
        stop()
        assert [record.data[:1] for record in kinesis.stored()].count(b"x") == 2


def test_the_consumer_prints_what_keeps_to_its_schema_and_what_does_not(tmp_path):
    with BlockingKinesis(stream="greenhouse") as kinesis:
        for data in (b'{"sensor":7,"celsius":31.5}', b'{"sensor":7,"celsius":99}', b'{"sensor":8,"celsius":-1}'):
            kinesis.call("PutRecord", StreamName="greenhouse", Data=data, PartitionKey="k")
        with start(
            EXAMPLES / "consumer_with_a_schema.py",
            "greenhouse",
            cwd=tmp_path,
            env=environment(kinesis, XDG_STATE_HOME=str(tmp_path)),
        ) as process:
            assert process.stdout.readline() == "sensor 7: 31.5 °C\n"
            assert process.stdout.readline() == "sensor 8: -1.0 °C\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert re.fullmatch(r"shardId-000000000000 \d+: Expected `float` <= 80.0 - at `\$.celsius`\n", err)


def test_the_plot_is_drawn_from_what_the_demo_stored(tmp_path):
    demo = ("-m", "truckstream", "demo", "--seconds", "2", "--rate", "300")
    subprocess.run([sys.executable, *demo], cwd=tmp_path, env=environment(), check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "engine_temperatures.py", "truckstream-data", "plot.png"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+ reports of the hottest trucks: TRUCK_\d{3}, TRUCK_\d{3}, TRUCK_\d{3}\n", done.stdout)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_pipelines_tests_pass():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", EXAMPLES / "test_pipeline.py"],
        cwd=ROOT,
        env=environment() | {"TRUCKSTREAM_TEST_PACKAGES": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr
