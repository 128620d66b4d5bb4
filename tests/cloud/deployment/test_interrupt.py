"""Ctrl-C during a deployment: the command runs in a process, against a CloudFormation that never finishes."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from tests.threaded_server import serving

STACK = """<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>acme</StackName>
<StackId>arn:aws:cloudformation:us-east-1:123456789012:stack/acme/0</StackId>
<CreationTime>2026-11-23T12:00:00Z</CreationTime><StackStatus>{}</StackStatus></member></Stacks>
</DescribeStacksResult></DescribeStacksResponse>"""
NO_STACK = (
    "<ErrorResponse><Error><Code>ValidationError</Code><Message>acme does not exist</Message></Error></ErrorResponse>"
)
RESPONSES = {
    "GetCallerIdentity": "<r><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></r>",
    "CreateChangeSet": "<r><CreateChangeSetResult><Id>change</Id><StackId>acme</StackId></CreateChangeSetResult></r>",
    "DescribeChangeSet": """<r><DescribeChangeSetResult><Status>CREATE_COMPLETE</Status><Changes><member>
        <ResourceChange><Action>Add</Action><LogicalResourceId>Stream</LogicalResourceId>
        <ResourceType>AWS::Kinesis::Stream</ResourceType></ResourceChange></member></Changes>
        </DescribeChangeSetResult></r>""",
    "ExecuteChangeSet": "<r><ExecuteChangeSetResult/></r>",
    "DescribeStackEvents": "<r><DescribeStackEventsResult><StackEvents/></DescribeStackEventsResult></r>",
}


#: The command with the SIGINT handler of a terminal, because a shell ignores SIGINT in its background processes.
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from truckstream.commands.app import main
main()
"""


class EndlessAws(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.actions = []
        self.polled_after_execution = threading.Event()

    def respond(self, action):
        """Return the status and the body."""
        self.actions.append(action)
        if action != "DescribeStacks":
            return 200, RESPONSES.get(action, "<r/>")
        if "ExecuteChangeSet" in self.actions:
            self.polled_after_execution.set()
            return 200, STACK.format("CREATE_IN_PROGRESS")
        return (200, STACK.format("REVIEW_IN_PROGRESS")) if "CreateChangeSet" in self.actions else (400, NO_STACK)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # answers `Expect: 100-continue` of the template's upload

    def do_HEAD(self):
        """Answer S3: the bucket of the template exists."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_HEAD()

    def do_DELETE(self):
        self.do_HEAD()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" in self.headers:  # a call of Kinesis, which has no such stream
            status, text = 400, '{"__type": "ResourceNotFoundException", "message": "no"}'
        else:
            status, text = self.server.respond(parse_qs(body.decode())["Action"][0])
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def aws():
    with serving(EndlessAws()) as server:
        yield server


def test_ctrl_c_prints_that_cloudformation_continues_and_how_to_see_the_outcome(aws, tmp_path):
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "provision", "--stack", "acme", "--yes", "--json"],
        cwd=tmp_path,
        env=os.environ | keys | {"AWS_ENDPOINT_URL": aws.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert aws.polled_after_execution.wait(40), process.communicate(timeout=1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "but CloudFormation continues" in err
    assert "truckstream status --stack acme shows the outcome" in err
    assert json.loads(out)["error"]["kind"] == "Interrupted"
    assert not {"DeleteChangeSet", "DeleteStack"} & set(aws.actions)
