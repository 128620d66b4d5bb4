"""A Python for arm64 on a machine with another processor: Debian's, in the user-mode emulator of QEMU.

Its packages are unpacked below the user's cache. apt has a state of its own there, so that the machine stays as it is
and no root is needed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.external_clients.installation import SECONDS, CannotInstallError, cached, run, tool

#: The release whose Python is the function's default.
RELEASE: Final = "trixie"
PYTHON: Final = "3.13"
#: libstdc++6 is for DuckDB.
PACKAGES: Final = (f"libpython{PYTHON}-stdlib", f"python{PYTHON}-minimal", "libgcc-s1", "libstdc++6")
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_SOURCE: Final = "deb [arch={machines} targets=Packages signed-by={keyring}] {archive} {release} main\n"
_SETTINGS: Final = """\
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "{machine}"; }};
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
#: The package has the emulators of all processors.
_UNPACK_EMULATOR: Final = 'dpkg-deb --fsys-tarfile "$1" | tar -x ./usr/bin/qemu-aarch64'


def arm64_python() -> list[str]:
    """Return the command that runs Python for arm64.

    Raises:
        CannotInstallError: this is no Debian, or the packages cannot be downloaded.
    """

    def install(folder: Path) -> None:
        machine = _output(tool("dpkg"), "--print-architecture")
        _configure(folder, machine)
        apt = [tool("apt-get"), "-qq", "-c", str(folder / "apt.conf")]
        run([*apt, "update"], folder)
        emulator = f"qemu-user:{machine}"
        run([*apt, "install", "--yes", "--no-install-recommends", "--download-only", emulator, *PACKAGES], folder)
        for package in sorted((folder / "cache" / "archives").glob("*.deb")):
            if package.name.startswith("qemu-user_"):
                run(["sh", "-c", _UNPACK_EMULATOR, "sh", str(package)], folder)
            else:
                run([tool("dpkg-deb"), "-x", str(package), "root"], folder)
        if not (folder / "root" / "lib").exists():  # base-files has this link, and much else
            (folder / "root" / "lib").symlink_to("usr/lib")
        for name in ("cache", "state"):
            shutil.rmtree(folder / name)

    folder = cached("arm64", (RELEASE, *PACKAGES), install)
    root = folder / "root"
    return [str(folder / "usr/bin/qemu-aarch64"), "-L", str(root), str(root / f"usr/bin/python{PYTHON}")]


def _configure(folder: Path, machine: str) -> None:
    """Write the settings of an apt on which nothing is installed, and that knows one release only."""
    if not KEYRING.exists():
        raise CannotInstallError(f"there is no {KEYRING}: apt cannot check the packages of Debian")
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "state" / "status").touch()
    machines = ",".join(sorted({"arm64", machine}))
    source = _SOURCE.format(machines=machines, keyring=KEYRING, archive=_archive(), release=RELEASE)
    (folder / "sources.list").write_text(source)
    (folder / "apt.conf").write_text(_SETTINGS.format(folder=folder, machine=machine))


def _archive() -> str:
    """Return the address of Debian's archive in the machine's own settings, which may name a mirror."""
    command = ["indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"]
    for address in _output(tool("apt-get"), *command).split():
        if address.rstrip("/").endswith("/debian"):
            return address
    raise CannotInstallError("apt has no source of Debian's packages on this machine")


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise CannotInstallError(f"{command[0]} failed: {done.stderr.strip()[-900:]}")
    return done.stdout.strip()
