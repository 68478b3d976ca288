"""Installs the artifacts into empty environments, and uses them as somebody else would: a platform
from its wheel, and each SDK's fetch, render and hot reload against it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from build import run
from versions import ROOT, version

SECONDS = 120.0
TOKEN = "release-check-token-of-its-own"
# Prints what it gets now, and again once it is changed.
PYTHON = """
import os, sys
from promptops import PromptOpsClient
with PromptOpsClient(os.environ["SERVER"], token=os.environ["TOKEN"], namespace="prod") as client:
    print(client.render("greeting", {"who": "Ada"}), flush=True)
    client.watch(lambda update: print(client.render("greeting", {"who": "Ada"}), flush=True))
    sys.stdin.readline()
"""
NODE = """
const client = new PromptOpsClient({
  server: process.env.SERVER, token: process.env.TOKEN, namespace: "prod", appName: "release",
});
const show = async () => console.log(await client.render("greeting", { who: "Ada" }));
client.on("update", show);
show().then(() => client.watch());
process.stdin.once("data", () => client.close()).unref();
"""
NODE_ES = 'import { PromptOpsClient } from "@promptops/client";\n' + NODE
NODE_CJS = 'const { PromptOpsClient } = require("@promptops/client");\n' + NODE
JAVA = """
import io.promptops.PromptOpsClient;
import java.util.Map;
public class Use {
    public static void main(String[] arguments) throws Exception {
        var server = System.getenv("SERVER");
        var token = System.getenv("TOKEN");
        var variables = Map.of("who", "Ada");
        try (var client = new PromptOpsClient(server, "prod", token, "release")) {
            System.out.println(client.render("greeting", variables));
            client.watch(key -> System.out.println(client.render("greeting", variables)));
            System.in.read();
        }
    }
}
"""


class Server:
    """A platform that was installed from its wheel."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._prompt = ""

    def publish(self, content: str) -> None:
        """Have the prompt `greeting` serve another text."""
        body = {"content": content, "key": "greeting", "env": "prod"}
        if self._prompt:
            self.ask("PUT", f"/api/prompts/{self._prompt}", {"content": content})
        else:
            self._prompt = self.ask("POST", "/api/prompts", body)["data"]["id"]
        self.ask("POST", "/api/prompts/publish", {"id": self._prompt})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def page(self) -> str:
        """The console."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            return answer.read().decode()


def new_environment(folder: Path, *packages: Path, constraints: Path | None = None) -> Path:
    """The `bin` of an environment with these packages and what they need."""
    run([sys.executable, "-m", "venv", folder], folder.parent)
    options = ["--constraint", constraints] if constraints else []
    command = [folder / "bin" / "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*command, *options, *packages], folder.parent)
    return folder / "bin"


def constraints(folder: Path) -> Path:
    """The locked versions, without the hashes that constraints can't have."""
    text = (ROOT / "requirements.lock").read_text()
    path = folder / "constraints.txt"
    names = re.findall(r"^([\w.-]+)(?:\[.*?\])?(==[^ \\\n]+)", text, re.MULTILINE)
    path.write_text("\n".join(f"{name}{number}" for name, number in names))
    return path


@contextmanager
def platform(binaries: Path, folder: Path) -> Iterator[Server]:
    """`promptops serve`, in a folder where nothing of the repository is."""
    log = folder / "platform.log"
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PROMPTOPS_ADDR": f"127.0.0.1:{port}",
        "PROMPTOPS_DATA": str(folder / "data"),
        "PROMPTOPS_TOKEN": TOKEN,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binaries / "promptops", "serve"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
    server = Server(f"http://127.0.0.1:{port}")
    try:
        _wait_until_up(server, process, log)
        yield server
    finally:
        process.terminate()
        process.wait()


def python_sdk(folder: Path, wheel: Path, server: Server) -> None:
    """With the wheel alone: it has no dependencies."""
    binaries = new_environment(folder / "python-sdk", wheel)
    (folder / "use.py").write_text(PYTHON)
    _follow([binaries / "python", "use.py"], folder, server, "Python")


def node_sdk(folder: Path, package: Path, server: Server) -> None:
    """As an ES module and as a CommonJS module."""
    project = folder / "node-sdk"
    project.mkdir()
    (project / "package.json").write_text('{"private": true}')
    run(["npm", "install", "--no-audit", "--no-fund", "--silent", package], project)
    for name, source in (("use.mjs", NODE_ES), ("use.cjs", NODE_CJS)):
        (project / name).write_text(source)
        _follow(["node", name], project, server, f"Node ({name})")


def java_sdk(folder: Path, jar: Path, server: Server) -> None:
    """Compiled and run with the jar alone."""
    project = folder / "java-sdk"
    project.mkdir()
    (project / "Use.java").write_text(JAVA)
    run(["javac", "-cp", jar, "Use.java"], project)
    _follow(["java", "-cp", f"{jar}{os.pathsep}.", "Use"], project, server, "Java")


def sdist(folder: Path, archive: Path, constraints_file: Path) -> None:
    """A wheel made of it has the console, too: no Node is needed."""
    target = folder / "from-sdist"
    pip = Path(sys.executable).with_name("pip")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", target]
    run([pip, "--disable-pip-version-check", "wheel", *options, archive], folder)
    listing = run([sys.executable, "-m", "zipfile", "-l", next(target.glob("*.whl"))], folder)
    assert "console/dist/index.html" in listing, "a wheel from the sdist has no console"


def _follow(command: list[str | Path], folder: Path, server: Server, name: str) -> None:
    server.publish("Hello {{who}}")
    environment = {"PATH": os.environ["PATH"], "SERVER": server.url, "TOKEN": TOKEN}
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        first = process.stdout.readline().strip()
        assert first == "Hello Ada", f"{name} printed {first!r}"
        server.publish("Bye {{who}}")
        deadline = time.monotonic() + SECONDS
        # A watch may connect after the publish: then the next one is seen.
        while (line := process.stdout.readline().strip()) != "Bye Ada":
            assert line, f"{name} has ended"
            assert time.monotonic() < deadline, f"{name} printed {line!r} last"
    finally:
        process.terminate()
        process.wait()
    print(f"  {name}: fetch, render and hot reload")


def _wait_until_up(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        try:
            assert server.ask("GET", "/health") == {"ok": True}
            break
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    assert "<script" in server.page(), "the installed platform serves no console"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def use(artifacts: Mapping[str, Path], folder: Path) -> None:
    """All of it; raises AssertionError, or ends the program."""
    locked = constraints(folder)
    sdist(folder, artifacts["sdist"], locked)
    binaries = new_environment(folder / "platform", artifacts["wheel"], constraints=locked)
    printed = run([binaries / "promptops", "version"], folder)
    assert printed.strip() == f"promptops {version()}", printed
    with platform(binaries, folder) as server:
        print("  platform: installed from its wheel, serves API and console")
        python_sdk(folder, artifacts["sdk wheel"], server)
        node_sdk(folder, artifacts["npm"], server)
        java_sdk(folder, artifacts["jar"], server)
    shutil.rmtree(folder)
