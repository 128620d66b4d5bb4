"""Input of every kind is read without blocking the event loop, and never ahead of the records that are put."""

import asyncio
import fcntl
import os
import termios
from array import array

import pytest

from truckstream.commands.stream.lines.input_reader import CHUNK_BYTES, InputReader
from truckstream.commands.stream.put import _put_lines


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


async def test_a_pipe_gives_what_it_has_and_waits_for_more(pipe):
    reader, writer = pipe
    async with InputReader(reader, asyncio.Event()) as source:
        os.write(writer, b"first")
        assert await source.read() == b"first"
        waiting = asyncio.create_task(source.read())
        await asyncio.sleep(0)
        assert not waiting.done()
        os.write(writer, b"second")
        assert await waiting == b"second"


async def test_the_end_of_the_input_is_empty(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"x" * (CHUNK_BYTES + 1))
    with path.open("rb") as file:
        async with InputReader(file.fileno(), asyncio.Event()) as source:
            assert [len(await source.read()) for _ in range(3)] == [CHUNK_BYTES, 1, 0]


async def test_stop_ends_a_read_that_waits_and_all_later_ones(pipe):
    reader, writer = pipe
    stop = asyncio.Event()
    async with InputReader(reader, stop) as source:
        waiting = asyncio.create_task(source.read())
        await asyncio.sleep(0)
        stop.set()
        assert await waiting == b""
        os.write(writer, b"late")
        assert await source.read() == b""
    assert os.read(reader, 10) == b"late"


async def test_a_cancelled_read_leaves_no_thread_that_takes_the_input(pipe):
    reader, writer = pipe
    async with InputReader(reader, asyncio.Event()) as source:
        waiting = asyncio.create_task(source.read())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    os.write(writer, b"for the next reader")
    assert os.read(reader, 100) == b"for the next reader"


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="only Linux lets a test enlarge a pipe")
async def test_nothing_is_read_ahead_of_the_records_that_are_put(pipe):
    """While a put waits for room, the rest of the input stays in the pipe, and the program before it waits too."""
    reader, writer = pipe
    size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 8 * CHUNK_BYTES)
    waiting, room = asyncio.Event(), asyncio.Event()

    class Full:
        async def put(self, _line):
            waiting.set()
            await room.wait()

    assert os.write(writer, b"x\n" * (size // 2)) == size
    stop = asyncio.Event()
    putting = asyncio.create_task(_put_lines(Full(), reader, stop))
    await waiting.wait()
    left = array("i", [0])
    fcntl.ioctl(reader, termios.FIONREAD, left)
    assert left[0] == size - CHUNK_BYTES
    stop.set()
    room.set()
    await putting
