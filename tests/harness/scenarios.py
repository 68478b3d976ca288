"""Plays a scenario of `sdk/conformance/scenarios` with a driver; its README has the format."""

from __future__ import annotations

import json
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.processes import eventually
from harness.scenario_server import ScenarioServer
from harness.sdk_drivers import Driver

SCENARIOS = Path(__file__).parents[2] / "sdk" / "conformance" / "scenarios"
WAIT_SECONDS = 5.0

Step = dict[str, Any]
# Members of a step that aren't part of the command.
OF_THE_STEP = {"ok", "error", "words", "secrets", "begin", "until", "within", "note"}


def all_cases() -> list[dict[str, Any]]:
    """Every case of every file, each named `file: name`."""
    cases = []
    for path in sorted(SCENARIOS.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        assert document["format"] == 1, path
        cases += [{**case, "name": f"{path.stem}: {case['name']}"} for case in document["cases"]]
    return cases


def problem(expected: Any, actual: Any, where: str = "") -> str | None:
    """The first difference, or None if `found` contains everything expected."""
    differences: Iterator[str | None] = iter(
        [f"{where or 'the answer'} is {actual!r}, not {expected!r}"]
    )
    if isinstance(expected, dict) and set(expected) == {"any_of"}:
        if any(problem(alternative, actual) is None for alternative in expected["any_of"]):
            return None
    elif isinstance(expected, dict) and isinstance(actual, dict):
        differences = (
            problem(value, actual.get(name), f"{where}.{name}") for name, value in expected.items()
        )
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        differences = (
            problem(one, other, f"{where}[{index}]")
            for index, (one, other) in enumerate(zip(expected, actual, strict=True))
        )
    elif expected == actual and isinstance(expected, bool) == isinstance(actual, bool):
        return None
    return next((difference for difference in differences if difference is not None), None)


class Player:
    """One case, with its own server and folder."""

    def __init__(self, driver: Driver, server: ScenarioServer, folder: Path) -> None:
        self._driver = driver
        self._server = server
        self._folder = folder
        self._options: dict[str, Any] = {}

    def play(self, case: dict[str, Any]) -> None:
        """Raises an AssertionError that names the step."""
        for prompt in case.get("prompts", []):
            self._server.prompts[prompt["key"]] = prompt
        self._server.watching = case.get("watching", {})
        self._options = case.get("options", {})
        if case.get("server") == "down":
            self._server.stop()
        if not any(step.get("op") == "new" for step in case["steps"][:1]):
            self._command({"op": "new", "ok": True})
        for number, step in enumerate(case["steps"], 1):
            try:
                self._step(step)
            except AssertionError as failed:
                raise AssertionError(f"step {number}, {json.dumps(step)}: {failed}") from failed

    def _step(self, step: Step) -> None:
        if "op" in step:
            self._command(step)
        elif "end" in step:
            self._compare(step, self._driver.end())
        elif "pause" in step:
            time.sleep(step["pause"])
        else:
            (kind,) = {"server", "expect", "disk"} & set(step)
            action: Callable[[Step], None] = getattr(self, f"_{kind}_{step[kind]}")
            action(step)

    def _command(self, step: Step) -> None:
        command = {name: value for name, value in step.items() if name not in OF_THE_STEP}
        if command["op"] == "new":
            command = self._new(command)
        if step.get("begin"):
            self._driver.begin(command)
            return
        began = time.monotonic()
        answer = self._driver.ask(command)
        while "until" in step and self._differs(step, answer) and self._in_time(began, step):
            time.sleep(0.02)
            answer = self._driver.ask(command)
        took = time.monotonic() - began
        self._compare(step, answer)
        assert took < step.get("within", 60), f"it took {took:.2f} s"

    def _new(self, command: Step) -> Step:
        options = {"timeout": 2.0, **self._options, **command.get("options", {})}
        if options.get("disk"):
            options["disk"] = str(self._folder / "disk")
        if "bundle" in options:
            bundle = self._folder / "bundle.json"
            content = options["bundle"]
            bundle.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
            options["bundle"] = str(bundle)
        return {
            "op": "new",
            "server": self._server.url.replace("localhost", "127.0.0.1"),
            "namespace": "prod",
            "token": "t",
            "app": "conformance",
            **command,
            "options": options,
        }

    @staticmethod
    def _in_time(began: float, step: Step) -> bool:
        return time.monotonic() - began < float(step["until"])

    @staticmethod
    def _differs(step: Step, answer: dict[str, Any]) -> str | None:
        if "error" in step:
            return problem(step["error"], answer.get("error"), "the error") or _differs_in_words(
                step, answer["message"]
            )
        if "ok" not in step:
            return None
        if "error" in answer:
            return f"the answer is the error {answer}"
        return problem(step["ok"], answer.get("ok"))

    def _compare(self, step: Step, answer: dict[str, Any]) -> None:
        different = self._differs(step, answer)
        assert different is None, different

    def _server_publish(self, step: Step) -> None:
        prompt = step["prompt"]
        event = {
            "type": step.get("type", "prompt.published"),
            "key": prompt["key"],
            "version": prompt["version"],
        }
        self._server.publish(prompt, event, tell=step.get("tell", True))

    def _server_delete(self, step: Step) -> None:
        event = {"type": "prompt.deleted", "key": step["key"], "version": ""}
        self._server.publish(None, event, tell=step.get("tell", True))

    def _server_answer(self, step: Step) -> None:
        self._server.scripts[step["key"]] = deque(step.get("with", []))
        self._server.always.pop(step["key"], None)
        if "always" in step:
            self._server.always[step["key"]] = step["always"]

    def _server_ping(self, _step: Step) -> None:
        self._server.ping()

    def _server_release(self, _step: Step) -> None:
        self._server.released.set()

    def _server_stop(self, _step: Step) -> None:
        self._server.released.set()
        self._server.stop()

    def _server_start(self, _step: Step) -> None:
        self._server.released.clear()
        self._server.start()

    def _server_send(self, step: Step) -> None:
        text = step["text"] if "text" in step else json.dumps(step["message"])
        self._server.send_text(text * step.get("repeat", 1))

    def _server_hang_up(self, step: Step) -> None:
        self._server.hang_up(step.get("code"))

    def _server_watching(self, step: Step) -> None:
        status = step.get("status")
        refusal = (status, b'{"error":"as the scenario says"}')
        self._server.refuse_watch = refusal if status else None
        self._server.watching = step

    def _server_feed(self, step: Step) -> None:
        self._server.epoch = step.get("epoch", self._server.epoch)
        self._server.revision = step.get("revision", self._server.revision)
        self._server.events.clear()

    def _expect_connect(self, step: Step) -> None:
        try:
            watcher = self._server.new_watchers.get(timeout=step.get("seconds", WAIT_SECONDS))
        except queue.Empty:
            raise AssertionError("it did not connect") from None
        different = problem(step.get("query", {}), watcher.query, "query")
        assert different is None, different
        different = problem(step.get("headers", {}), watcher.headers, "headers")
        assert different is None, different

    def _expect_no_connect(self, step: Step) -> None:
        time.sleep(step["seconds"])
        assert self._server.new_watchers.empty(), "it has connected"

    def _expect_fetches(self, step: Step) -> None:
        key, count = step["key"], step["count"]
        least, most = count if isinstance(count, list) else (count, count)
        self._server.wait_for(lambda: self._server.fetches(key) >= least, step.get("seconds", 0))
        fetches = self._server.fetches(key)
        assert least <= fetches <= most, f"{fetches} fetches"

    def _expect_hanging(self, step: Step) -> None:
        hangs = self._server.wait_for(
            lambda: self._server.hanging > 0, step.get("seconds", WAIT_SECONDS)
        )
        assert hangs, "no answer hangs"

    def _expect_fetch(self, step: Step) -> None:
        fetched = self._server.fetched(step["key"])
        assert fetched, "it was not fetched"
        different = problem({k: v for k, v in step.items() if k in fetched[-1]}, fetched[-1])
        assert different is None, different

    def _expect_message(self, step: Step) -> None:
        messages = self._server.messages

        def came() -> bool:
            for message in list(messages):
                if problem(step["message"], _with_sorted_keys(message)) is None:
                    messages.remove(message)
                    return True
            return False

        in_time = self._server.wait_for(came, step.get("seconds", WAIT_SECONDS))
        assert in_time, f"only {messages} came"

    def _expect_no_message(self, step: Step) -> None:
        def came() -> bool:
            return any(
                problem(step["message"], message) is None for message in self._server.messages
            )

        assert not self._server.wait_for(came, step["seconds"]), f"{self._server.messages} came"

    def _files(self) -> list[Path]:
        return sorted((self._folder / "disk").glob("*"))

    def _expect_disk(self, step: Step) -> None:
        # A client need not wait until the file is written.
        eventually(lambda: len(self._files()) == step["files"], seconds=WAIT_SECONDS)

    def _disk_damage(self, step: Step) -> None:
        (path,) = self._files()
        text = path.read_text("utf-8")
        assert step["replace"] in text, text
        path.write_text(text.replace(step["replace"], step["by"]), "utf-8")


def _differs_in_words(step: Step, message: str) -> str | None:
    missing = [words for words in step.get("words", []) if words not in message]
    betrayed = [secret for secret in step.get("secrets", []) if secret in message]
    return f"the message is {message!r}" if missing or betrayed else None


def _with_sorted_keys(message: dict[str, Any]) -> dict[str, Any]:
    keys = message.get("keys")
    return {**message, "keys": sorted(keys)} if isinstance(keys, list) else message
