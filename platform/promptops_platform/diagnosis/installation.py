"""Checks Python and the packages against the requirements of this release."""

import sys
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from promptops_platform.diagnosis.finding import Finding, Findings, ok, problem, warning

CHECK = "installation"
LEAST_PYTHON = (3, 11)
AS_LOCKED = "install again: make up, or pip install with requirements.lock"
# Packages that break others with a different version: see pyproject.toml.
MATTER = frozenset({"prefect", "fastapi"})


async def check_installation() -> Findings:
    """Return one line for Python, and one for each package that doesn't match, or one for all if
    they do."""
    return [_python(), *(_packages() or [ok(CHECK, _versions())])]


def _python() -> Finding:
    text = f"Python {sys.version.partition(' ')[0]}"
    if sys.version_info < LEAST_PYTHON:
        return problem(CHECK, f"{text} is too old", "use Python 3.11 or newer")
    return ok(CHECK, text)


def _versions() -> str:
    shown = ", ".join(f"{name} {version(name)}" for name in ("promptops", *sorted(MATTER)))
    return f"{shown}; all packages have versions that this release supports"


def _packages() -> Findings:
    findings = []
    for line in requires("promptops") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            text = f"{requirement.name} is not installed"
        else:
            if requirement.specifier.contains(installed, prereleases=True):
                continue
            text = f"{requirement.name} is {installed}, and must be {requirement.specifier}"
        level = problem if requirement.name in MATTER else warning
        findings.append(level(CHECK, text, AS_LOCKED))
    return findings
