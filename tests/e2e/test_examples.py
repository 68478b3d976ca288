"""Every example as its README says, against one platform that they share."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness.commands import run_command
from harness.ports import free_port
from harness.processes import eventually
from harness.up import PromptOps, promptops

pytestmark = pytest.mark.trial

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE_SDK = ROOT / "sdk" / "node"
JAVA_CLASSES = ROOT / "sdk" / "java" / "target" / "classes"
SECONDS = 180.0
GREETING = "example-greeting"
# Answers with the page of the Next.js example, as its server does.
PAGE_SERVER = """
import { createServer } from "node:http";
globalThis.element = (tag, attributes, ...children) => `<${tag}>${children.join("")}</${tag}>`;
const { default: Page } = await import("./app/page.js");
createServer(async (request, response) => {
  const query = new URL(request.url, "http://page").searchParams;
  response.end(await Page({ searchParams: Promise.resolve(Object.fromEntries(query)) }));
}).listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
"""
needs_node_sdk = pytest.mark.skipif(
    not (NODE_SDK / "dist").exists(), reason="the Node SDK is not built"
)


@pytest.fixture(scope="module")
def platform() -> Iterator[PromptOps]:
    with promptops() as running:
        running.start()
        yield running


def environment(platform: PromptOps) -> dict[str, str]:
    return {
        "PROMPTOPS_SERVER": platform.url,
        "PROMPTOPS_TOKEN": platform.token,
        "PROMPTOPS_NAMESPACE": "prod",
        "PYTHONPATH": str(ROOT / "sdk" / "python"),
    }


def push(platform: PromptOps, name: str, folder: Path) -> Path:
    """The example in a folder of its own, and what it needs on the server."""
    copy = folder / name
    shutil.copytree(EXAMPLES / name, copy, ignore=shutil.ignore_patterns("node_modules"))
    done = run_command(["push", str(copy), "--publish", "--force"], environment(platform))
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


def publish(platform: PromptOps, key: str, content: str) -> None:
    with platform.client() as client:
        rows = client.get("/api/prompts", params={"q": key, "env": "prod"}).json()["data"]
        id_ = next(row["id"] for row in rows if row["key"] == key)
        assert client.put(f"/api/prompts/{id_}", json={"content": content}).is_success
        assert client.post("/api/prompts/publish", json={"id": id_}).is_success


@contextmanager
def program(command: list[str], folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """A program that goes on until the end of the block, and the file of what it prints."""
    printed = folder / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield printed
    finally:
        process.terminate()
        process.wait()


def finished(folder: Path, variables: Mapping[str, str]) -> str:
    """What the example's `main.py` prints until its end."""
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def follows_its_prompt(platform: PromptOps, command: list[str], folder: Path) -> None:
    publish(platform, GREETING, "Hello {{who}}, welcome back.")
    with program(command, folder, environment(platform)) as printed:
        eventually(lambda: "Hello Ada, welcome back." in printed.read_text(), seconds=SECONDS)
        publish(platform, GREETING, "Good morning {{who}}.")
        eventually(lambda: "Good morning Ada." in printed.read_text(), seconds=SECONDS)


def test_python_hot_reload(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "python-hot-reload", tmp_path)
    follows_its_prompt(platform, [sys.executable, "main.py"], folder)


def add_node_sdk(folder: Path) -> set[str]:
    """What `npm install` does for our own package; returns the names of all dependencies."""
    package = folder / "node_modules" / "@promptops" / "client"
    package.parent.mkdir(parents=True)
    package.symlink_to(NODE_SDK)
    return set(json.loads((folder / "package.json").read_text())["dependencies"])


@needs_node_sdk
def test_node_hot_reload(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "node-hot-reload", tmp_path)
    assert add_node_sdk(folder) == {"@promptops/client"}
    follows_its_prompt(platform, ["node", "main.mjs"], folder)


@needs_node_sdk
def test_the_page_of_the_nextjs_app(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "nextjs-app", tmp_path)
    assert add_node_sdk(folder) == {"@promptops/client", "next", "react", "react-dom"}
    options = (
        "--ignoreConfig --allowJs --noResolve --jsx react --jsxFactory element --module esnext"
    )
    compiler = [str(NODE_SDK / "node_modules" / ".bin" / "tsc"), "app/page.jsx", "--outDir", "app"]
    subprocess.run([*compiler, "--target", "es2022", *options.split()], cwd=folder, check=True)
    (folder / "server.mjs").write_text(PAGE_SERVER)
    port = free_port()
    variables = {**environment(platform), "PORT": str(port)}
    with program(["node", "server.mjs"], folder, variables) as printed:
        eventually(lambda: "listening" in printed.read_text(), seconds=SECONDS)
        url = f"http://127.0.0.1:{port}/?name=Ada"
        publish(platform, "example-headline", "Hello, {{name}}.")
        eventually(lambda: httpx.get(url).text == "<h1>Hello, Ada.</h1>", seconds=SECONDS)
        publish(platform, "example-headline", "Hi, {{name}}!")
        eventually(lambda: httpx.get(url).text == "<h1>Hi, Ada!</h1>", seconds=SECONDS)


@pytest.mark.skipif(not JAVA_CLASSES.exists(), reason="the Java SDK is not compiled")
def test_java_hot_reload(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "java-hot-reload", tmp_path)
    follows_its_prompt(platform, ["java", "-cp", str(JAVA_CLASSES), "Main.java"], folder)


def test_sql_agent(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "sql-agent", tmp_path)
    printed = finished(folder, environment(platform))
    assert "-- rules: example-sql-rules v1" in printed
    assert "2026-03-02\t2\t48.0" in printed
    publish(platform, "example-sql-rules", "Other rules for {{tables}}: {{question}}")
    assert "-- rules: example-sql-rules v2" in finished(folder, environment(platform))


def test_customer_service_agent(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "customer-service-agent", tmp_path)
    printed = finished(folder, {**environment(platform), "ORDERS_PORT": "0"})
    assert "ada: And when does it arrive?" in printed
    assert "of 100 customers: {'v1': " in printed
    assert "'v2': " in printed


def test_report_workflow(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "report-workflow", tmp_path)
    printed = finished(folder, environment(platform))
    assert "waiting for approval: Publish this report?" in printed
    assert "run completed" in printed
    assert "# Report of week 12" in printed


def test_fastapi_app(platform: PromptOps, tmp_path: Path) -> None:
    folder = push(platform, "fastapi-app", tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    with program(command, folder, environment(platform)) as printed:
        eventually(lambda: "startup complete" in printed.read_text(), seconds=SECONDS)
        url = f"http://127.0.0.1:{port}/welcome/Ada"
        assert httpx.get(url).text == "Welcome, Ada."
        publish(platform, "example-welcome", "Hi, {{name}}!")
        eventually(lambda: httpx.get(url).text == "Hi, Ada!", seconds=SECONDS)


def test_the_tests_of_the_fastapi_app() -> None:
    folder = EXAMPLES / "fastapi-app"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "sdk" / "python")},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_example_is_listed_and_has_a_readme() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    folders = [path for path in EXAMPLES.iterdir() if path.is_dir() and path.name[0] not in "._"]
    assert len(folders) == 8
    for folder in folders:
        assert f"[{folder.name}]({folder.name})" in listed
        assert (folder / "README.md").read_text().startswith("# ")
