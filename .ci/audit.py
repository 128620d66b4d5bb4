"""Look the product's packages up in a database of vulnerabilities, and fail if one is known to be vulnerable.

    python .ci/audit.py

The packages are those of the function's zip and those of every extra, in the versions of development. pip-audit asks
one database after the other until one knows all of them. If none can be reached, the audit prints that it was skipped
and why, and succeeds, because not every machine has a way to them. pip-audit itself counts a package that a database
does not know as not vulnerable, so its exit status alone would pass an audit that looked nothing up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OF_THE_ZIP = ROOT / "truckstream" / "cloud" / "package" / "dependencies" / "requirements.txt"
PIP_AUDIT = "pip-audit==2.10.1"
DATABASES = ("osv", "pypi")


class Audit(NamedTuple):
    """The answer of one database."""

    #: One line for each known vulnerability.
    vulnerable: tuple[str, ...]
    #: Number of packages that were looked up.
    audited: int
    #: Why packages were not looked up, None if all were.
    gap: str | None


def read_report(report: dict[str, Any]) -> Audit:
    """Return what pip-audit's report in JSON says."""
    packages = report["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    vulnerable = tuple(
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or 'none'}"
        for package in packages
        for each in package.get("vulns", ())
    )
    gap = f"it does not know {len(skipped)} of {len(packages)} packages" if skipped or not packages else None
    return Audit(vulnerable, len(packages) - len(skipped), gap)


def ask(database: str, requirements: list[Path], osv_url: str | None) -> Audit:
    """Run pip-audit with one database."""
    files = [word for path in requirements for word in ("-r", str(path))]
    url = ["--osv-url", osv_url] if osv_url and database == "osv" else []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [
                *("uv", "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit"),
                *("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--cache-dir", folder),
                *("--vulnerability-service", database, *url),
                *("--format", "json", "--output", str(report), *files),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it printed nothing")
            return Audit((), 0, reason.strip()[:300])
        return read_report(json.loads(report.read_text(encoding="utf-8")))


def main() -> int:
    """Run the audit, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--osv-url", help="the address of another database with OSV's interface")
    parser.add_argument("--only", choices=DATABASES, help="ask only this database")
    options = parser.parse_args()
    gaps = []
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "requirements.txt"
        export = [
            "uv",
            "export",
            "--quiet",
            "--no-default-groups",
            "--all-extras",
            "--no-emit-project",
            "--output-file",
            exported,
        ]
        subprocess.run(export, cwd=ROOT, check=True, stdout=sys.stderr)
        for database in [options.only] if options.only else DATABASES:
            audit = ask(database, [OF_THE_ZIP, exported], options.osv_url)
            if audit.vulnerable:
                print("known vulnerabilities:", *audit.vulnerable, sep="\n  ")
                return 1
            if audit.gap is None:
                print(f"vulnerability audit: {audit.audited} packages, none is known to be vulnerable ({database})")
                return 0
            gaps.append(f"{database}: {audit.gap}")
    print("vulnerability audit SKIPPED:", *gaps, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
