"""The `truckstream` command, also `python -m truckstream`: Ctrl-C while it is loading ends it without a traceback."""

import signal


def main() -> None:
    """Load the command and run it."""
    python_s = signal.getsignal(signal.SIGINT)
    if python_s is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun yet that would have to be cleaned up
    from truckstream.commands.app import main as command  # noqa: PLC0415

    if python_s is signal.default_int_handler:
        signal.signal(signal.SIGINT, python_s)
    command()


if __name__ == "__main__":
    main()
