"""Two customers talk to an agent, while a new prompt is rolled out to half of all customers."""

import json
import os
import threading
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVER = os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080")
TOKEN = os.environ.get("PROMPTOPS_TOKEN", "promptops-dev-token")
NAMESPACE = os.environ.get("PROMPTOPS_NAMESPACE", "prod")
AGENT, PROMPT = "example-support-agent", "example-support"
KINDER = "You help customers of {{shop}}. Be warm, use their name, and look orders up first."
# The tool's service; in production it is your own, listed in PROMPTOPS_TOOL_HOSTS.
ORDERS_PORT = int(os.environ.get("ORDERS_PORT", "8099"))


class Orders(BaseHTTPRequestHandler):
    """The shop's own service."""

    def do_GET(self) -> None:
        content = json.dumps({"number": self.path.rpartition("/")[2], "state": "on its way"})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


def ask(method: str, path: str, body: object = None) -> Any:
    """The JSON of a response of the platform."""
    request = urllib.request.Request(  # noqa: S310  the server of your own settings
        SERVER + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
        return json.loads(answer.read())


def prepare_rollout() -> None:
    """Publish a second version, and serve it to half of the customers."""
    rows = ask("GET", f"/api/prompts?q={PROMPT}&env={NAMESPACE}")["data"]
    prompt = next(row for row in rows if row["key"] == PROMPT)
    before = prompt["published_version"]
    ask("PUT", f"/api/prompts/{prompt['id']}", {"content": KINDER})
    kinder = ask("POST", "/api/prompts/publish", {"id": prompt["id"]})["data"]["version"]
    if kinder != before:
        rollout = {"enabled": True, "variant_a": before, "variant_b": kinder, "weight_a": 50}
        ask("PUT", f"/api/prompts/{prompt['id']}/rollout", rollout)


def converse(agent: str, customer: str, *lines: str) -> None:
    """Each line is a turn of the same conversation."""
    conversation = None
    for line in lines:
        body = {
            "input": line,
            "subject": customer,
            "variables": {"shop": "Bits and Bolts"},
            **({"conversation_id": conversation} if conversation else {}),
        }
        answer = ask("POST", f"/api/agents/{agent}/run", body)
        conversation = answer["conversation_id"]
        print(f"{customer}: {line}")
        print(
            f"agent ({answer['prompt']['version']}): {answer['result']['output'].splitlines()[0]}"
        )


def main() -> None:
    orders = ThreadingHTTPServer(("127.0.0.1", ORDERS_PORT), Orders)
    threading.Thread(target=orders.serve_forever, daemon=True).start()
    prepare_rollout()
    agent = ask("GET", f"/api/agents?q={AGENT}")["data"][0]["id"]
    converse(agent, "ada", "Where is my order 4711?", "And when does it arrive?")
    converse(agent, "grace", "I want to return something.")
    fetched = (
        ask("GET", f"/api/sdk/prompts/{PROMPT}?env={NAMESPACE}&subject=customer-{number}")
        for number in range(100)
    )
    versions = Counter(prompt["version"] for prompt in fetched)
    print("of 100 customers:", dict(sorted(versions.items())))
    orders.shutdown()


if __name__ == "__main__":
    main()
