"""`truckstream put` and `truckstream tail` on one local stream, as a newcomer tries them."""

import asyncio
import json

from tests.commands.support import run, start
from truckstream.local import LocalKinesis


async def test_what_was_put_is_printed_from_the_oldest_record_on(tmp_path):
    lines = [json.dumps({"truck_id": f"TRUCK_{number % 7}", "speed": number}) for number in range(700)]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(lines) + "\n")
    async with LocalKinesis(shards=3) as kinesis:
        where = ("truck-sensor-stream", "--endpoint-url", kinesis.endpoint_url)
        await asyncio.to_thread(run, "put", *where, str(path), "--key-field", "truck_id", cwd=tmp_path)
        words = ("--from", "TRIM_HORIZON", "-n", "700", "--show", "key")
        status, out, err = await asyncio.to_thread(run, "tail", *where, *words, cwd=tmp_path)
        assert (status, err) == (0, "")
        rows = [line.split("\t") for line in out.splitlines()]
        assert sorted(json.loads(data)["speed"] for _, data in rows) == list(range(700))
        for key in {key for key, _ in rows}:
            speeds = [json.loads(data)["speed"] for each, data in rows if each == key]
            assert speeds == sorted(speeds)


async def test_tail_prints_what_comes_after_it_is_ready_and_ends_with_ctrl_c(tmp_path):
    (tmp_path / "lines.jsonl").write_text('{"truck_id":"TRUCK_9"}\n')
    async with LocalKinesis() as kinesis:
        where = ("truck-sensor-stream", "--endpoint-url", kinesis.endpoint_url)
        process = start("tail", *where, cwd=tmp_path)
        try:
            printed = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
            while not printed.done():
                await asyncio.to_thread(run, "put", *where, "lines.jsonl", cwd=tmp_path)
            assert json.loads(await printed) == {"truck_id": "TRUCK_9"}
            process.send_signal(2)
            await asyncio.to_thread(process.communicate)
            assert process.returncode == 0
        finally:
            process.kill()
            await asyncio.to_thread(process.communicate)
