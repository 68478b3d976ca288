"""What has to be in the artifacts, and what must not be."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from build import ROOT
from versions import version

LICENCE = (ROOT / "LICENSE").read_bytes()
# Names of files, and a text that each has to contain.
EXPECTED: Mapping[str, Mapping[str, str]] = {
    "wheel": {
        "promptops_platform/console/dist/index.html": "<script",
        "promptops_platform/console/dist/licenses.md": "## @vue/runtime-core - ",
        "promptops_platform/console/dist/license-inter.txt": "SIL OPEN FONT LICENSE",
        "promptops_platform/db/migrations/versions/0001_first_schema.py": "revision",
        "promptops_flows/prefect_server/template.db.xz": "",
        "promptops_providers/__init__.py": "",
        "promptops_platform/py.typed": "",
        "promptops-{version}.dist-info/entry_points.txt": "promptops = promptops_platform.cli:main",
        "promptops-{version}.dist-info/METADATA": "License-Expression: Apache-2.0",
        "promptops-{version}.dist-info/licenses/LICENSE": "Apache License",
    },
    "sdist": {
        "promptops-{version}/platform/promptops_platform/console/dist/index.html": "<script",
        "promptops-{version}/pyproject.toml": "hatchling",
        "promptops-{version}/LICENSE": "Apache License",
        "promptops-{version}/README.md": "PromptOps",
    },
    "sdk wheel": {
        "promptops/py.typed": "",
        "promptops/client.py": "PromptOpsClient",
        "promptops_sdk-{version}.dist-info/METADATA": "License-Expression: Apache-2.0",
        "promptops_sdk-{version}.dist-info/licenses/LICENSE": "Apache License",
    },
    "sdk sdist": {
        "promptops_sdk-{version}/promptops/client.py": "PromptOpsClient",
        "promptops_sdk-{version}/LICENSE": "Apache License",
    },
    "npm": {
        "package/package.json": '"license": "Apache-2.0"',
        "package/dist/index.js": "",
        "package/dist/index.d.ts": "PromptOpsClient",
        "package/dist/cjs/index.js": "require",
        "package/LICENSE": "Apache License",
        "package/README.md": "PromptOpsClient",
    },
    "jar": {
        "io/promptops/PromptOpsClient.class": "",
        "META-INF/LICENSE": "Apache License",
        "module-info.class": "",
    },
    "sources": {"io/promptops/PromptOpsClient.java": "class PromptOpsClient"},
    "javadoc": {"io.promptops/io/promptops/PromptOpsClient.html": "PromptOpsClient"},
}
# Tests, caches and what people keep beside the sources.
UNWANTED = re.compile(
    r"(^|/)(tests?|node_modules|__pycache__|\.env|\.git|\.venv|data)/|\.pyc$|\.db$|secret\.key$|\.map$"
)
SMALLEST_CONSOLE = 20


def check(artifacts: Mapping[str, Path]) -> list[str]:
    """What is wrong, in sentences."""
    wrong = []
    for kind, names in EXPECTED.items():
        files = _files(artifacts[kind])
        for template, text in names.items():
            name = template.format(version=version())
            if name not in files:
                wrong.append(f"{artifacts[kind].name} has no {name}")
            elif text.encode() not in files[name]:
                wrong.append(f"{artifacts[kind].name}: {name} does not contain {text!r}")
        wrong += [
            f"{artifacts[kind].name} should not contain {name}"
            for name in files
            if UNWANTED.search(name)
        ]
        if kind == "wheel":
            scripts = [name for name in files if "/console/dist/" in name and name.endswith(".js")]
            if len(scripts) < SMALLEST_CONSOLE:
                wrong.append(f"the wheel has only {len(scripts)} scripts of the console")
    return [*wrong, *_check_sbom(artifacts["sbom"]), *_check_metadata(artifacts)]


def _check_sbom(path: Path) -> list[str]:
    document = json.loads(path.read_text())
    names = {component["name"] for component in document["components"]}
    missing = {"fastapi", "prefect", "sqlalchemy", "vue"} - names
    references = [component["bom-ref"] for component in document["components"]]
    doubled = len(references) - len(set(references))
    return [f"the SBOM lacks {name}" for name in missing] + (
        [f"the SBOM has {doubled} components twice"] if doubled else []
    )


def _check_metadata(artifacts: Mapping[str, Path]) -> list[str]:
    package = json.loads(_files(artifacts["npm"])["package/package.json"])
    wrong = []
    if package["version"] != version():
        wrong.append(f"the npm package has version {package['version']}")
    metadata = _files(artifacts["wheel"])[f"promptops-{version()}.dist-info/METADATA"].decode()
    wrong += [
        f"the wheel's metadata lack {field}"
        for field in ("Name: promptops", f"Version: {version()}", "Requires-Python: >=3.11")
        if field not in metadata
    ]
    sdk = _files(artifacts["sdk wheel"])[f"promptops_sdk-{version()}.dist-info/METADATA"].decode()
    if "Requires-Dist" in sdk:
        wrong.append("the Python SDK has dependencies")
    return wrong


def _files(path: Path) -> dict[str, bytes]:
    if path.suffix in (".whl", ".jar"):
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(path) as archive:
        contents = ((entry.name, archive.extractfile(entry)) for entry in archive)
        return {name: content.read() for name, content in contents if content is not None}
