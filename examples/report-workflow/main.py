"""Starts the report, approves it as a person would in the console, and prints it."""

import json
import os
import time
import urllib.request
from typing import Any

SERVER = os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080")
TOKEN = os.environ.get("PROMPTOPS_TOKEN", "promptops-dev-token")
WORKFLOW = "example-report"
UNFINISHED = ("queued", "running", "waiting")


def ask(method: str, path: str, body: object = None) -> Any:
    """The JSON of a response of the platform."""
    request = urllib.request.Request(  # noqa: S310  the server of your own settings
        SERVER + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=180) as answer:  # noqa: S310
        return json.loads(answer.read())


def main() -> None:
    workflow = ask("GET", f"/api/workflows?q={WORKFLOW}")["data"][0]
    body = {"variables": {"week": "week 12"}}
    # Returns as soon as the run waits for a person.
    run = ask("POST", f"/api/workflows/{workflow['id']}/run", body)["run_id"]
    approval = ask("GET", f"/api/approvals?run={run}")["data"][0]
    print(f"waiting for approval: {approval['message'].splitlines()[0]}", flush=True)
    ask("POST", f"/api/approvals/{approval['id']}/approve", {"comment": "Looks right."})
    while (done := ask("GET", f"/api/runs/{run}")["data"])["state"] in UNFINISHED:
        time.sleep(0.5)
    print(f"run {done['state']}")
    print(done["output"])


if __name__ == "__main__":
    main()
