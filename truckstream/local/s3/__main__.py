"""The process of the local S3: it prints its port, and ends when its standard input does.

python -m truckstream.local.s3 SEED
"""

import os
import sys
from random import Random
from threading import Thread

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from truckstream.local.s3.server import FaultyS3


class _QuietHandler(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Log nothing."""


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until the parent process closes our standard input, or ends."""
    application = FaultyS3(DomainDispatcherApplication(create_backend_app), Random(int(sys.argv[1])))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_QuietHandler)
    Thread(target=_end_with_the_parent, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
