"""The command and the library on a machine where something is missing, slow or set wrong."""

import os
import signal
import subprocess
import sys

from tests.commands.support import run


def test_ctrl_c_while_the_command_loads_ends_it_without_a_traceback(tmp_path):
    """A `rich` that takes long to import holds up the command while it loads."""
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(30)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "truckstream", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "loading\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, err) == (-signal.SIGINT, "")


def test_importing_the_local_kinesis_without_its_extra_names_the_package_to_install(tmp_path):
    (tmp_path / "cbor2.py").write_text("raise ModuleNotFoundError(\"No module named 'cbor2'\", name='cbor2')\n")
    done = subprocess.run(
        [sys.executable, "-c", "import truckstream.local"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "truckstream.local needs the package cbor2: pip install 'truckstream[local]'" in done.stderr


def test_an_invalid_setting_in_dotenv_is_named(tmp_path):
    (tmp_path / ".env").write_text("STREAM_NAME=not a name\n")
    status, _, err = run("simulate", cwd=tmp_path)
    assert status == 2
    assert "stream_name is 'not a name' (from STREAM_NAME in .env)" in err
