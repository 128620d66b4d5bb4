"""The audit of CI fails on a known vulnerability, and never takes a package that was not looked up for a safe one."""

import importlib.util
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.threaded_server import serving

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
_spec = importlib.util.spec_from_file_location("audit", SCRIPT)
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)

SAFE = {"name": "msgspec", "version": "0.22.0", "vulns": []}
VULNERABLE = {"name": "obstore", "version": "0.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2", "0.3"]}]}
FOUND = "obstore 0.1.0: PYSEC-1, fixed in 0.2, 0.3"
UNKNOWN = {"name": "arro3-io", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ([SAFE, SAFE], ((), 2, None)),
        ([SAFE, VULNERABLE], ((FOUND,), 2, None)),
        ([SAFE, UNKNOWN], ((), 1, "it does not know 1 of 2 packages")),
        (
            [VULNERABLE, UNKNOWN],
            (("obstore 0.1.0: PYSEC-1, fixed in 0.2, 0.3",), 1, "it does not know 1 of 2 packages"),
        ),
        ([], ((), 0, "it does not know 0 of 0 packages")),
    ],
)
def test_a_report_is_read(packages, expected):
    assert audit.read_report({"dependencies": packages, "fixes": []}) == expected


class Database(BaseHTTPRequestHandler):
    """A database with OSV's interface that knows one vulnerability, in the packages named in `vulnerable`."""

    vulnerable = ()

    def do_POST(self):
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        found = {
            "id": "OSV-2026-1",
            "summary": "reads past its end",
            "affected": [
                {
                    "package": {"name": name, "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
                }
            ],
        }
        body = json.dumps({"vulns": [found]} if name in self.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


def run(url):
    return subprocess.run(
        [sys.executable, SCRIPT, "--only", "osv", "--osv-url", url], capture_output=True, text=True, check=False
    )


@pytest.mark.external
@pytest.mark.parametrize(
    ("vulnerable", "status", "words"),
    [
        (["obstore"], 1, "known vulnerabilities:\n  obstore 0.12.1: OSV-2026-1, fixed in 99"),
        ([], 0, "none is known to be vulnerable (osv)"),
    ],
)
def test_the_audit_asks_about_every_package(monkeypatch, vulnerable, status, words):
    monkeypatch.setattr(Database, "vulnerable", vulnerable)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(HTTPServer(("127.0.0.1", 0), Database)) as server:
        done = run(f"http://127.0.0.1:{server.server_port}/v1/query")
    assert (done.returncode, words in done.stdout) == (status, True), done.stdout + done.stderr


@pytest.mark.external
def test_a_database_that_cannot_be_reached_is_named_and_nothing_is_called_safe():
    done = run("http://127.0.0.1:9/v1/query")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("vulnerability audit SKIPPED:\n  osv: ")
    assert "Connection refused" in done.stdout
