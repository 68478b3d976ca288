"""Prints a rendered prompt, and again whenever it changes; arguments: server, workspace, key."""

import sys
import threading

from promptops import PromptOpsClient, Update

server, workspace, key = sys.argv[1:]


def show(update: Update) -> None:
    if update["key"] == key:
        print(client.get_prompt(key)["content"], flush=True)


with PromptOpsClient(
    server,
    workspace=workspace,
    namespace="prod",
    app_name="storefront",
    token="promptops-dev-token",
) as client:
    client.watch(show)
    print(client.get_prompt(key)["content"], flush=True)
    threading.Event().wait()
