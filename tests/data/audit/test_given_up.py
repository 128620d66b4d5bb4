"""Records that Lambda gave up are in the on-failure destination; the audit names the batch until they are stored."""

import json

import obstore.store
import pytest

from tests.batcher.support import number
from tests.data.audit.support import event, fill_by_function, fill_by_worker, keys, short, verify
from tests.data.objects.test_given_up import document, key


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


def destination(first, last):
    info = document()["KinesisBatchInfo"]
    batch = {"startSequenceNumber": number(first), "endSequenceNumber": number(last), "batchSize": last - first + 1}
    store = obstore.store.MemoryStore()
    content = document(KinesisBatchInfo=info | batch, payload=json.dumps({"Records": event(first, last + 1)}))
    store.put(key(), json.dumps(content).encode())
    return store


async def test_a_batch_that_was_given_up_is_missing(store):
    await fill_by_function(store, event(0, 5), event(8, 10))
    [found] = (await verify(store, given_up=destination(5, 7))).findings
    assert (found.kind, found.severity, found.keys) == ("given_up", "problem", (key(),))
    assert (short(found.first_sequence_number), short(found.last_sequence_number)) == (5, 7)
    assert "gave up 3 records (RetryAttemptsExhausted)" in found.text


async def test_a_hole_that_a_batch_explains_names_it(store):
    await fill_by_worker(store, 23)
    store.delete(keys(store)[2])
    findings = (await verify(store, given_up=destination(11, 15))).findings
    assert {each.kind for each in findings} == {"hole", "given_up"}
    assert all(key() in each.keys for each in findings)
    elsewhere = (await verify(store, given_up=destination(30, 31))).findings
    assert [key() in each.keys for each in elsewhere if each.kind == "hole"] == [False]


async def test_a_batch_that_was_stored_since_is_no_finding(store):
    await fill_by_function(store, event(0, 10))
    report = await verify(store, given_up=destination(5, 7))
    assert (report.findings, report.exit_status) == ((), 0)


async def test_a_broken_document_cannot_be_told(store):
    broken = obstore.store.MemoryStore()
    broken.put(key(), b"{")
    await fill_by_function(store, event(0, 5))
    report = await verify(store, given_up=broken)
    assert ([each.kind for each in report.findings], report.exit_status) == (["unreadable"], 2)
