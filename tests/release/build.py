"""Builds everything that is released, into one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sbom import write_sbom
from versions import ROOT, version

HATCHLING = Path(sys.executable).with_name("hatchling")


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """Run a program to its end; its output. Ends this one where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path) -> dict[str, Path]:
    """All artifacts, by their kinds."""
    for project in (ROOT, ROOT / "sdk" / "python"):
        run([HATCHLING, "build", "--directory", folder], project)
    run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], ROOT / "sdk" / "node")
    run(["npm", "pack", "--silent", "--pack-destination", folder], ROOT / "sdk" / "node")
    pom = ROOT / "sdk" / "java" / "pom.xml"
    options = ["--batch-mode", "--no-transfer-progress", "--quiet", "-DskipTests"]
    run(["mvn", *options, "--file", pom, "package"], ROOT)
    name = f"promptops-client-{version()}"
    for end in (".jar", "-sources.jar", "-javadoc.jar"):
        shutil.copy(ROOT / "sdk" / "java" / "target" / f"{name}{end}", folder)
    shutil.copy(pom, folder / f"{name}.pom")
    write_sbom(folder)
    return artifacts(folder)


def artifacts(folder: Path) -> dict[str, Path]:
    """What `build` has left in the folder."""
    number = version()
    names = {
        "wheel": f"promptops-{number}-py3-none-any.whl",
        "sdist": f"promptops-{number}.tar.gz",
        "sdk wheel": f"promptops_sdk-{number}-py3-none-any.whl",
        "sdk sdist": f"promptops_sdk-{number}.tar.gz",
        "npm": f"promptops-client-{number}.tgz",
        "jar": f"promptops-client-{number}.jar",
        "sources": f"promptops-client-{number}-sources.jar",
        "javadoc": f"promptops-client-{number}-javadoc.jar",
        "pom": f"promptops-client-{number}.pom",
        "sbom": f"promptops-{number}.cdx.json",
    }
    return {kind: folder / name for kind, name in names.items()}
