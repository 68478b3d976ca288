"""A program that uses the Python SDK like a user's program.

It prints a JSON line for each prompt, one when it watches, and one for each update, until its input
ends. Its arguments: the server's URL, its token, then the keys.
"""

from __future__ import annotations

import json
import sys

from promptops import Prompt, PromptOpsClient


def main(url: str, token: str, *keys: str) -> None:
    def show(prompt: Prompt, event: str) -> None:
        text = client.render_template(prompt["content"], {"who": "Ada"})
        say({"event": event, "key": prompt["key"], "version": prompt["version"], "text": text})

    with PromptOpsClient(url, namespace="prod", token=token, app_name="greeter") as client:
        for key in keys:
            show(client.get_prompt(key), "held")
        client.watch(lambda update: show(update["prompt"], update["event"]["type"]))
        say({"event": "watching"})
        sys.stdin.read()


def say(line: dict[str, str]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
