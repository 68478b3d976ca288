"""Prints a greeting, and prints it again whenever its prompt changes on the server."""

import os
import threading

from promptops import PromptOpsClient, Update

KEY = "example-greeting"
SERVER = os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080")
TOKEN = os.environ.get("PROMPTOPS_TOKEN", "promptops-dev-token")
NAMESPACE = os.environ.get("PROMPTOPS_NAMESPACE", "prod")


def show(update: Update) -> None:
    if update["key"] == KEY:
        print(client.render(KEY, {"who": "Ada"}), flush=True)


with PromptOpsClient(SERVER, token=TOKEN, namespace=NAMESPACE, app_name="example") as client:
    print(client.render(KEY, {"who": "Ada"}), flush=True)
    client.watch(show)
    threading.Event().wait()
