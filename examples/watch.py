"""Prints a greeting, and prints it again whenever its prompt changes on the server."""

import threading

from promptops import PromptOpsClient, Update

KEY = "greeting"


def show(update: Update) -> None:
    if update["key"] == KEY:
        print(f"{update['event']['type']}: {client.render(KEY, {'who': 'Ada'})}", flush=True)


with PromptOpsClient("http://127.0.0.1:8080", namespace="prod", app_name="example") as client:
    print(f"now: {client.render(KEY, {'who': 'Ada'})}", flush=True)
    client.watch(show)
    threading.Event().wait()
