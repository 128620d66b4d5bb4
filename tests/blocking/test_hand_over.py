"""The queue between the threads that put and the loop."""

import os
import threading

import pytest

from truckstream.blocking.hand_over import HandOver
from truckstream.errors import BufferFullError, ProducerClosedError


def hand_over(wake=lambda: None, *, may_wait=True):
    queue = HandOver(100, wake, lambda: may_wait)
    queue.open()
    return queue


def test_the_items_of_many_puts_cross_with_one_wake():
    woken = []
    queue = hand_over(lambda: woken.append(None))
    for number in range(3):
        queue.put(number, 10, None)
    assert (queue.take(), len(woken)) == ([0, 1, 2], 1)
    assert queue.take() == []
    queue.put(3, 10, None)
    assert (queue.take(), len(woken)) == ([3], 2)


def test_there_is_room_again_when_the_items_were_taken():
    queue = hand_over()
    queue.put("large", 1_000, 0)
    for timeout in (0, 0.001):
        with pytest.raises(BufferFullError, match="takes 10 bytes of the buffer, and 0 are free"):
            queue.put("small", 10, timeout)
    assert queue.take() == ["large"]
    queue.put("small", 10, 0)
    assert queue.take() == ["small"]


def test_a_put_waits_for_room():
    queue = hand_over()
    queue.put("first", 100, None)
    putter = threading.Thread(target=queue.put, args=("second", 100, None))
    putter.start()
    taken = []
    while len(taken) < 2:
        taken += queue.take()
    putter.join()
    assert taken == ["first", "second"]


def test_the_loops_own_thread_does_not_wait_for_itself():
    queue = hand_over(may_wait=False)
    queue.put("first", 100, None)
    queue.put("second", 100, None)
    assert queue.take() == ["first", "second"]


def test_a_closed_queue_takes_nothing_and_keeps_what_it_has():
    queue = HandOver(100, lambda: None, lambda: True)
    with pytest.raises(ProducerClosedError, match="is not open"):
        queue.put("early", 1, None)
    queue.open()
    queue.put("first", 100, None)
    queue.close("closed")
    with pytest.raises(ProducerClosedError, match="closed"):
        queue.put("late", 1, None)
    assert queue.take() == ["first"]


def test_closing_ends_the_waits_for_room():
    queue = hand_over()
    queue.put("first", 100, None)
    raised = []

    def put():
        try:
            queue.put("second", 1, None)
        except ProducerClosedError as error:
            raised.append(str(error))

    putter = threading.Thread(target=put)
    putter.start()
    queue.close("closed")
    putter.join()
    assert raised == ["closed"]


def test_a_signal_handler_may_put_while_its_thread_puts():
    woken = []

    def wake():
        woken.append(None)
        if len(woken) == 1:
            queue.put("of the handler", 1, None)

    queue = hand_over(wake)
    queue.put("first", 1, None)
    assert (queue.take(), len(woken)) == (["of the handler", "first"], 2)


def test_ctrl_c_in_a_put_leaves_no_item_for_which_nothing_wakes_the_loop():
    woken = []

    def wake():
        woken.append(None)
        if len(woken) == 1:
            raise KeyboardInterrupt

    queue = hand_over(wake)
    with pytest.raises(KeyboardInterrupt):
        queue.put("interrupted", 1, None)
    queue.put("next", 1, None)
    assert (queue.take(), len(woken)) == (["next"], 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_does_not_wait_for_a_lock_of_its_parents_threads():
    queue = hand_over()
    queue.put("of the parent", 1, None)
    locked, done = threading.Event(), threading.Event()

    def hold():
        with queue._lock:
            locked.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    queue.leave_to_parent("forked")  # as in the child, where the holder would not exist
    with pytest.raises(ProducerClosedError, match="forked"):
        queue.put("of the child", 1, None)
    assert queue.take() == []
    done.set()
    holder.join()
