"""`python -m serving.server MODULE:SERVICE --host ADDRESS --port PORT` serves a BentoML service."""

from __future__ import annotations

import argparse
import sys

from uvicorn.importer import import_from_string

from contracts.errors import RehabcastError
from serving.server.run import serve
from stores.private_files import keep_private


def main() -> int:
    """Serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="serving.server", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    keep_private()
    try:
        return serve(lambda: import_from_string(asked.service), asked.host, asked.port)
    except RehabcastError as error:
        sys.stderr.write(f"rehabcast: {error}\n")
        return error.exit_code


sys.exit(main())
