"""`python -m promptops_flows.prefect_server`: serves Prefect's API and UI until SIGTERM.

Everything is configured through Prefect's own environment variables, see
`promptops_flows.processes.children.prefect_server_spec`.
"""

from __future__ import annotations

import os
import sys

from promptops_flows.processes.parent_watch import exit_with_parent

_STOP_SECONDS = 10.0


def main() -> None:
    if ":" not in os.environ.get("PREFECT_SERVER_API_AUTH_STRING", ""):
        sys.exit("PREFECT_SERVER_API_AUTH_STRING must be set to user:password: no open server.")
    exit_with_parent(_STOP_SECONDS)
    # Imported late, because loading Prefect takes two seconds: the parent is watched from the
    # start.
    from promptops_flows.prefect_server.serve import serve  # noqa: PLC0415

    serve()


main()
