"""Prints a greeting, and prints it again whenever its prompt changes on the server."""

import os
import threading

from promptops import PromptOpsClient, Update

SERVER = os.environ.get("PROMPTOPS_SERVER", "http://127.0.0.1:8080")
KEY = "greeting"


def show(update: Update) -> None:
    if update["key"] == KEY:
        print(f"{update['event']['type']}: {client.render(KEY, {'who': 'Ada'})}", flush=True)


with PromptOpsClient(SERVER, namespace="prod", app_name="example") as client:
    print(f"now: {client.render(KEY, {'who': 'Ada'})}", flush=True)
    client.watch(show)
    threading.Event().wait()
