"""Which connections are closed, and when; and the memory for bodies."""

from truckstream.local.http.limits.connection_table import ConnectionTable
from truckstream.local.http.limits.memory_budget import MemoryBudget
from truckstream.local.http.limits.server_limits import limits_for


def test_the_connection_that_has_been_idle_longest_makes_room_for_a_new_one():
    table = ConnectionTable(maximum=2, idle_seconds=10)
    assert (table.open("a", 0), table.open("b", 1)) == (None, None)
    table.begin_request("a")
    table.end_request("a", 2)
    assert table.open("c", 3) == "b"
    assert table.open("d", 4) == "a"
    assert set(table) == {"c", "d"}


def test_a_new_connection_is_refused_while_all_are_busy():
    table = ConnectionTable(maximum=1, idle_seconds=10)
    table.open("a", 0)
    table.begin_request("a")
    assert table.open("b", 1) == "b"
    assert set(table) == {"a"}
    table.remove("a")
    assert table.open("b", 2) is None


def test_a_connection_expires_without_a_request_and_never_during_one():
    table = ConnectionTable(maximum=9, idle_seconds=10)
    table.open("silent", 0)
    table.open("subscribed", 1)
    table.begin_request("subscribed")
    table.open("kept alive", 2)
    table.begin_request("kept alive")
    table.end_request("kept alive", 5)
    assert (table.next_expiry(), table.expire(9.9), table.expire(10)) == (10, [], ["silent"])
    assert (table.next_expiry(), table.expire(15)) == (15, ["kept alive"])
    assert (table.next_expiry(), table.expire(1_000)) == (None, [])
    assert set(table) == {"subscribed"}


def test_a_connection_is_busy_until_the_last_of_its_requests_ends():
    table = ConnectionTable(maximum=9, idle_seconds=10)
    table.open("a", 0)
    table.begin_request("a")
    table.begin_request("a")
    table.end_request("a", 1)
    assert table.next_expiry() is None
    table.end_request("a", 2)
    assert table.next_expiry() == 12


def test_a_request_that_ends_after_its_connection_changes_nothing():
    table = ConnectionTable(maximum=9, idle_seconds=10)
    table.open("a", 0)
    table.begin_request("a")
    table.remove("a")
    table.end_request("a", 1)
    assert (len(table), table.next_expiry()) == (0, None)


def test_memory_is_limited_by_connection_and_in_total():
    budget = MemoryBudget(per_connection=10, in_total=25)
    assert budget.take("a", 10)
    assert not budget.take("a", 1)
    assert budget.take("b", 10)
    assert not budget.take("c", 6)
    assert budget.take("c", 5)
    budget.give_back("a", 4)
    assert budget.take("a", 4)
    assert not budget.take("a", 1)
    assert not budget.take("d", 1)


def test_the_connections_leave_files_for_everything_else():
    assert limits_for(64).connections == 32
    assert limits_for(1).connections == 1
    assert limits_for(2**63).connections == 4_096
