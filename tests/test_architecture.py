"""The architecture as tests: allowed imports, no import cycles, cores without IO, and imports that load little.

When you add a package, add it to `ALLOWED`. When a file of a package in `SHELLS` awaits or does IO, it is a shell: list
it there. All other files of these packages are cores, whose time and randomness come as arguments.
"""

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

import truckstream

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "truckstream").rglob("*.py"), *(ROOT / "lambda_entry").rglob("*.py")])

#: Each top-level module or package, and those that it may import.
ALLOWED = {
    "errors": set(),
    "command_line": set(),
    "alarms": set(),
    "metrics": set(),
    "schema_errors": {"errors"},
    "column_types": set(),
    "record": {"schema_errors", "errors"},
    "kpl": {"errors"},
    "envelope": {"kpl", "errors"},
    "deaggregation": {"envelope", "kpl", "errors"},
    "fleet": {"record", "errors"},
    "charts": {"errors"},
    "config": {"errors"},
    "checks": {"errors"},
    "observer_hooks": {"errors"},
    "kinesis": {"errors"},
    "producer": {"envelope", "kinesis", "kpl", "observer_hooks", "checks", "errors"},
    "blocking": {"producer", "kinesis", "checks", "errors"},
    "consumer": {"deaggregation", "kinesis", "kpl", "observer_hooks", "checks", "errors"},
    "batcher": {"record", "column_types", "schema_errors", "deaggregation", "envelope", "kpl", "errors"},
    "otel": {"consumer", "producer", "metrics", "truckstream"},
    "local": {"errors"},
    "pytest_plugin": {"local"},
    "demo": {"charts", "dashboard", "handler", "local", "producer", "kinesis", "fleet", "record", "errors"},
    "simulator": {"cloud", "producer", "kinesis", "fleet", "errors"},
    "cloud": {"alarms", "column_types", "command_line", "config", "errors", "kinesis", "metrics", "truckstream"},
    "lambda_function": {"batcher", "metrics", "errors"},
    "handler": {"alerts", "lambda_function", "batcher", "data", "record", "errors"},
    "data": {
        "batcher",
        "cloud",
        "column_types",
        "command_line",
        "config",
        "consumer",
        "kinesis",
        "kpl",
        "producer",
        "record",
        "checks",
        "errors",
    },
    "windows": {"record", "consumer", "batcher", "kinesis", "checks", "errors"},
    "search": {
        *("batcher", "checks", "column_types", "consumer", "data", "errors", "kinesis", "record", "worker"),
    },
    "worker": {"consumer", "batcher", "kinesis", "checks", "deaggregation", "errors"},
    "alerts": {"batcher", "checks", "consumer", "kinesis", "kpl", "producer", "record", "errors"},
    "stream_sql": {
        *("batcher", "checks", "consumer", "data", "errors", "kinesis", "producer", "record", "schema_errors"),
        "windows",
    },
    "dashboard": {"alerts", "consumer", "data", "fleet", "kinesis", "local", "record", "errors"},
    "commands": {
        *(
            "alerts",
            "cloud",
            "command_line",
            "config",
            "consumer",
            "dashboard",
            "data",
            "demo",
            "errors",
            "fleet",
            "handler",
            "kinesis",
            "local",
        ),
        *("lambda_function", "batcher", "producer", "search", "simulator", "stream_sql", "truckstream", "worker"),
    },
    "__main__": {"commands"},
    # For type checkers only: the public names load when they are first used.
    "truckstream": {
        *("batcher", "consumer", "data", "errors", "fleet", "lambda_function", "producer", "record", "stream_sql"),
    },
}

#: Package -> its shells, the files that do IO. Every other file of the package is a core.
SHELLS = {
    "charts": {"output.py"},
    "kpl": set(),
    "envelope": set(),
    "kinesis": {
        "client.py",
        "fan_out/http2_connection.py",
        "fan_out/http2_pool.py",
        "fan_out/registration.py",
        "fan_out/subscription.py",
        "http/connecting.py",
        "reading/reading_client.py",
        "signed_calls.py",
        "http/aiohttp_transport.py",
        "http/connection_pool.py",
        "session/credentials.py",
        "session/default_session.py",
        "session/described_stream.py",
        "session/network_settings.py",
        "session/session_endpoint.py",
    },
    "producer": {
        "buffer_waiters.py",
        "fork_hook.py",
        "intake.py",
        "loop_binding.py",
        "outcomes/delivery.py",
        "outcomes/flush_waiters.py",
        "producer.py",
        "service_calls.py",
        "watching/notifier.py",
    },
    "blocking": {"acceptor.py", "at_exit.py", "delivery.py", "hand_over.py", "loop_thread.py", "producer.py"},
    "consumer": {
        "consumer.py",
        "upkeep/lease_manager.py",
        "tables/default_table.py",
        "leases/lease_table.py",
        "processing/batch.py",
        "processing/batch_queue.py",
        "processing/handler.py",
        "processing/handling.py",
        "processing/iteration.py",
        "running/feeding/feed.py",
        "running/feeding/missing_shard.py",
        "running/leased_shard.py",
        "running/feeding/polling.py",
        "running/feeding/prefetch.py",
        "running/feeding/registered_consumer.py",
        "running/shard_context.py",
        "running/shard_run.py",
        "running/shard_runs.py",
        "running/streams.py",
        "running/feeding/subscribing.py",
        "shard_processor.py",
        "tables/dynamodb_table.py",
        "tables/memory_table.py",
        "tables/sqlite_table.py",
        "upkeep/held_leases.py",
        "upkeep/shard_keeper.py",
        "watching/lease_report.py",
        "watching/sampler.py",
    },
    "batcher": {
        "batcher.py",
        "object_store/credentials/container_credentials.py",
        "object_store/credentials/profile_credentials.py",
        "object_store/directory/directory_store.py",
        "object_store/directory/metadata_files.py",
        "object_store/open_store.py",
        "object_store/store.py",
        "object_store/threaded_store.py",
        "second_target.py",
        "storing/event_writer.py",
        "storing/group_writer.py",
        "storing/object_writer.py",
    },
    "windows": {
        "running/shard_processor.py",
        "running/shard_states.py",
        "running/sink.py",
        "running/sqlite_sink.py",
        "running/windowed.py",
        "state/state_store.py",
    },
    "worker": {
        "health/health_server.py",
        "storing/group_storer.py",
        "storing/shard_storer.py",
        "stream_arn.py",
        "worker.py",
    },
    "data": {
        "compaction/compact.py",
        "compaction/completion.py",
        "compaction/files/create_once.py",
        "compaction/files/file_builder.py",
        "compaction/files/parquet_file.py",
        "compaction/files/work_folder.py",
        "compaction/iceberg/commits.py",
        "compaction/iceberg/iceberg_table.py",
        "audit/auditor.py",
        "audit/counts/incoming_records.py",
        "audit/objects/compacted_files.py",
        "audit/objects/inventory.py",
        "audit/objects/object_scan.py",
        "audit/shards/shard_audit.py",
        "audit/stream/stream_reading.py",
        "compaction/manifests/manifest_reader.py",
        "compaction/manifests/marks.py",
        "compaction/originals.py",
        "compaction/planning/hours.py",
        "compaction/planning/planner.py",
        "compaction/run.py",
        "objects/catalog.py",
        "objects/given_up.py",
        "query/listing.py",
        "query/object_files.py",
        "query/tables.py",
        "replay/collecting.py",
        "replay/execution.py",
        "replay/given_up_storing.py",
        "replay/journal/journal.py",
        "replay/reading/repairing.py",
        "replay/reading/sources.py",
        "replay/recovery.py",
        "replay/run.py",
        "replay/source_replay.py",
        "replay/targets/single_attempt_client.py",
        "replay/targets/store_target.py",
        "replay/targets/target_stream.py",
        "replay/targets/stream_search.py",
        "replay/targets/stream_target.py",
        "replay/targets/target.py",
    },
    "alerts": {
        "delivery/line_target.py",
        "delivery/sns_target.py",
        "delivery/stream_target.py",
        "delivery/target.py",
        "delivery/webhook_target.py",
        "running/alert_processor.py",
        "running/alerts.py",
        "function/function_alerts.py",
        "function/lambda_topic.py",
        "running/delivery_task.py",
        "shard/state_store.py",
    },
    "dashboard": {"feeds/store_feed.py", "feeds/stream_feed.py", "serving/server.py"},
    "lambda_function": {"handler.py", "logs.py"},
    "search": {
        "asking/index_search.py",
        "indexing/preparation.py",
        "indexing/sink.py",
        "indexing/writer.py",
        "opensearch/client.py",
        "opensearch/credentials.py",
    },
    "local": {
        "s3/__main__.py",
        "s3/local_s3.py",
        "s3/server.py",
        "__main__.py",
        "blocking.py",
        "child_process.py",
        "faults/kinds/connections.py",
        "faults/kinds/error_responses.py",
        "http/control.py",
        "http/control_client.py",
        "http/endpoint.py",
        "http/exchange.py",
        "http/http2/http1_messages.py",
        "http/http2/http2_connection.py",
        "http/http2/memory_transport.py",
        "http/http2/request_stream.py",
        "http/limits/open_connections.py",
        "http/limits/request_body.py",
        "http/listener.py",
        "http/security/certificate.py",
        "http/server.py",
        "http/subscription_push.py",
        "kinesis.py",
        "mapping/function/invoker.py",
        "mapping/function/lambda_context.py",
        "mapping/failure_destination.py",
        "mapping/mapping.py",
        "mapping/shard_lane.py",
        "mapping/tasks.py",
        "faulty_service.py",
        "virtual_clock.py",
    },
    "cloud": {
        "aws_account.py",
        "deployment/adoption/existing_data.py",
        "deployment/cloudformation/change_set.py",
        "deployment/cloudformation/stack_operations.py",
        "deployment/deploy.py",
        "deployment/destroy.py",
        "package/artifact_bucket.py",
        "package/build.py",
        "package/bytecode.py",
        "package/dependencies/wheels.py",
        "package/flink.py",
        "watch/doctor.py",
        "watch/reading/cloudwatch.py",
        "watch/reading/deployed_parts.py",
        "watch/reading/streams.py",
        "watch/reading/tolerant_reader.py",
        "watch/scaling.py",
        "watch/status.py",
    },
    "demo": {
        "accounting/object_directory.py",
        "fleet_to_producer.py",
        "local_aws/__main__.py",
        "local_aws/environment.py",
        "local_aws/process.py",
        "monitor.py",
        "output_files.py",
        "run.py",
    },
    "simulator": {"__main__.py", "simulation.py"},
    "stream_sql": {
        "progress/progress_store.py",
        "progress/query_progress.py",
        "progress/resuming_table.py",
        "shard_feed.py",
        "sinks/store_sink.py",
        "sinks/stream_sink.py",
        "sql_stream.py",
        "window_asker.py",
    },
}
#: Core -> the modules of `IO_MODULES` that it may import after all, with the reason.
EXCEPTIONS = {
    "truckstream/local/faults/injector.py": {"random"},  # seeded by the plan
    "truckstream/local/protocol/api_call.py": {"logging"},  # answers a defect of ours with a 500, and logs it
}
CORES = [
    *(f"truckstream/{name}.py" for name in ("record", "schema_errors", "column_types", "errors", "metrics", "alarms")),
    "truckstream/deaggregation.py",
    *(
        str(path.relative_to(ROOT))
        for package, shells in SHELLS.items()
        for path in sorted((ROOT / "truckstream" / package).rglob("*.py"))
        if str(path.relative_to(ROOT / "truckstream" / package)) not in shells and path.name != "__init__.py"
    ),
]
#: The modules that a core may not import: event loops, clocks, randomness, the network, processes, threads and logs.
IO_MODULES = {
    *("asyncio", "concurrent", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"),
    *("uuid", "aiobotocore", "aiohttp", "obstore"),
}


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def part_of(path):
    """The key of `ALLOWED` that a file belongs to."""
    relative = path.relative_to(ROOT)
    if relative.parts[0] == "lambda_entry":
        return "handler"
    if len(relative.parts) == 2:
        return "truckstream" if relative.stem == "__init__" else relative.stem
    return relative.parts[1]


def imports_of(path, *, at_runtime=False):
    """The modules that a file imports; `at_runtime` leaves out those for type checkers."""
    tree = parsed(path)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if at_runtime and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield from (
                [f"truckstream.{alias.name}" for alias in node.names] if node.module == "truckstream" else [node.module]
            )


def parts_imported(path):
    """The keys of `ALLOWED` that a file imports from."""
    for module in imports_of(path):
        first, _, rest = module.partition(".")
        if first == "lambda_entry":
            yield "handler"
        elif first == "truckstream":
            name = rest.split(".", maxsplit=1)[0]
            yield name if name in ALLOWED else "truckstream"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_package_may(path):
    part = part_of(path)
    forbidden = set(parts_imported(path)) - {part} - ALLOWED[part]
    assert not forbidden, f"{part} may not import {', '.join(sorted(forbidden))}"


@pytest.mark.parametrize("name", CORES)
def test_a_core_imports_nothing_that_does_io(name):
    imported = {module.split(".", maxsplit=1)[0] for module in imports_of(ROOT / name, at_runtime=True)}
    forbidden = imported & IO_MODULES - EXCEPTIONS.get(name, set())
    assert not forbidden, f"a core may not import {', '.join(sorted(forbidden))}"


@pytest.mark.parametrize("name", CORES)
def test_a_core_awaits_nothing(name):
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.AsyncFunctionDef)
    lines = [node.lineno for node in ast.walk(parsed(ROOT / name)) if isinstance(node, waits)]
    assert not lines, f"a core may not await: lines {', '.join(map(str, lines))}"


def test_every_shell_is_a_file():
    listed = [ROOT / "truckstream" / package / name for package, shells in SHELLS.items() for name in shells]
    assert [str(path) for path in listed if not path.exists()] == []


# --- Import cycles ----------------------------------------------------------------------------------


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def modules_imported(path):
    """The modules of this repository that a file imports, at runtime or for type checkers only."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in submodules)


def cycles_in(graph):
    """The groups of modules each of which imports itself through the others."""

    def reachable(start):
        seen, todo = set(), [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    reach = {name: reachable(name) for name in graph}
    groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in graph}
    return sorted(sorted(group) for group in groups if group)


def test_there_is_no_import_cycle():
    graph = {name: set(modules_imported(path)) & MODULES.keys() for name, path in MODULES.items()}
    assert cycles_in(graph) == []


# --- What an import loads ---------------------------------------------------------------------------


def loaded_by(statement):
    """The modules that a fresh interpreter has after `statement`."""
    code = f"import sys, json; {statement}; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import truckstream", {"truckstream.producer", "truckstream.batcher", "msgspec", "asyncio"}),
        (
            "import lambda_entry.handler",
            {
                *("aiohttp", "botocore", "boto3", "aiobotocore", "truckstream.producer", "truckstream.local", "rich"),
                *("backports.zstd", "compression.zstd", "truckstream.batcher.object_store.failure"),
            },
        ),
        ("import truckstream.batcher", {"aiohttp", "botocore", "aiobotocore", "truckstream.producer"}),
        ("import truckstream.producer", {"botocore", "aiobotocore", "truckstream.batcher", "obstore", "opentelemetry"}),
        ("import truckstream.local", {"botocore", "aiobotocore", "truckstream.kinesis", "truckstream.producer"}),
        ("import truckstream.charts", {"vl_convert", "msgspec", "asyncio"}),
        ("import truckstream.commands.app", {"botocore", "aiobotocore", "aiohttp", "obstore"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_import_loads_no_more_than_it_needs(statement, unwanted):
    assert not loaded_by(statement) & unwanted


def test_the_public_names_load_when_used():
    for name in truckstream.__all__:
        assert getattr(truckstream, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = truckstream.Nothing
