"""The examples for containers can be parsed, agree with the command, and allow what the worker calls and no more."""

import inspect
import json
import re
from pathlib import Path

import pytest
import yaml

from truckstream.commands.worker import worker
from truckstream.config import SETTINGS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "worker"
DOCKERFILE = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
[ACCOUNT, DEPLOYMENT] = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8"))
TASK = json.loads((EXAMPLES / "ecs-task.json").read_text(encoding="utf-8"))
POLICY = json.loads((EXAMPLES / "policy.json").read_text(encoding="utf-8"))
POD = DEPLOYMENT["spec"]["template"]["spec"]
[POD_CONTAINER] = POD["containers"]
[TASK_CONTAINER] = TASK["containerDefinitions"]


def environment(container):
    return {each["name"]: each["value"] for each in container.get("env") or container["environment"]}


def variables_of_the_command():
    """The variables that the command reads: those of its own options and those of the settings."""
    own = re.findall(r'env_var="(\w+)"', inspect.getsource(inspect.getmodule(worker)))
    return {*own, *(variable for setting in SETTINGS for variable in setting.variables)}


@pytest.mark.parametrize("container", [POD_CONTAINER, TASK_CONTAINER], ids=["kubernetes", "ecs"])
def test_the_variables_exist(container):
    found = environment(container)
    assert found.keys() <= variables_of_the_command()
    assert {"STREAM_NAME", "BUCKET_NAME", "AWS_REGION"} <= found.keys()


@pytest.mark.parametrize(
    ("container", "seconds"),
    [(POD_CONTAINER, POD["terminationGracePeriodSeconds"]), (TASK_CONTAINER, TASK_CONTAINER["stopTimeout"])],
    ids=["kubernetes", "ecs"],
)
def test_the_process_is_killed_after_its_grace_time_only(container, seconds):
    assert seconds >= float(environment(container)["GRACE"]) + 5
    assert seconds <= 120  # the longest stopTimeout of Fargate


def test_probes_call_the_health_endpoint():
    port = environment(POD_CONTAINER)["HEALTH_PORT"]
    assert [str(each["containerPort"]) for each in POD_CONTAINER["ports"] if each["name"] == "health"] == [port]
    probes = {name: POD_CONTAINER[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness", "startup")}
    assert probes == {
        "liveness": {"path": "/healthz", "port": "health"},
        "readiness": {"path": "/readyz", "port": "health"},
        "startup": {"path": "/readyz", "port": "health"},
    }
    url = f"http://127.0.0.1:{environment(TASK_CONTAINER)['HEALTH_PORT']}/healthz"
    check = TASK_CONTAINER["healthCheck"]["command"]
    assert check[:3] == ["CMD", "python", "-c"]
    assert url in check[3]
    compile(check[3], "healthCheck", "exec")


def test_nothing_runs_as_root():
    [user] = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0
    assert TASK_CONTAINER["user"].startswith(f"{user}:")
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD_CONTAINER["securityContext"]["allowPrivilegeEscalation"] is False
    assert POD_CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True


def test_signals_reach_python():
    """The entry point is a list: with a text, a shell would be process 1 and keep the signal to itself."""
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(entry) == ["truckstream", "worker"]
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE


def test_the_pods_use_the_service_account():
    assert POD["serviceAccountName"] == ACCOUNT["metadata"]["name"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == DEPLOYMENT["spec"]["template"]["metadata"]["labels"]


def actions(sid):
    [statement] = [each for each in POLICY["Statement"] if each["Sid"] == sid]
    return {action.partition(":")[2] for action in statement["Action"]}


def test_the_policy_allows_the_calls_of_the_worker_and_no_others():
    assert actions("Objects") == {"GetObject", "PutObject"}  # all that `batcher/object_store/store.py` needs
    assert actions("Stream") == {"DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"}
    source = (ROOT / "truckstream" / "consumer" / "tables" / "dynamodb_table.py").read_text(encoding="utf-8")
    called = re.findall(r'self\._call\(\s*"(\w+)"', source)
    assert actions("Leases") == {"".join(map(str.capitalize, name.split("_"))) for name in called}
    resources = json.dumps([statement["Resource"] for statement in POLICY["Statement"]])
    assert "stream/truck-sensor-stream" in resources
    assert f"table/{environment(TASK_CONTAINER)['APPLICATION']}" in resources
    assert '"*"' not in resources
