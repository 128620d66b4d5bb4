"""Run the `truckstream` command, also as `python -m truckstream`.

Ctrl-C while the command's modules are still loading ends the program without a traceback.
"""

import signal


def main() -> None:
    """Load the command and run it."""
    handler = signal.getsignal(signal.SIGINT)
    replaceable = handler is signal.default_int_handler
    if replaceable:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has started yet, so nothing needs cleaning up
    from truckstream.commands.app import main as run_command  # noqa: PLC0415 - after SIGINT is set

    if replaceable:
        signal.signal(signal.SIGINT, handler)
    run_command()


if __name__ == "__main__":
    main()
