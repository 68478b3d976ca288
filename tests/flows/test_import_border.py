"""The parts of flows that the platform loads must not import Prefect."""

import subprocess
import sys

import pytest

FOR_THE_PLATFORM = (
    "promptops_flows.definitions.workflow",
    "promptops_flows.templates.language",
    "promptops_flows.protocol.engine_protocol",
    "promptops_flows.protocol.engine_client",
    "promptops_flows.processes.children",
    "promptops_flows.processes.parent_watch",
    "promptops_providers.provider_names",
)
HEAVY = ("prefect", "sqlalchemy", "fastapi", "starlette")


def loaded_by(modules: tuple[str, ...]) -> set[str]:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_platforms_imports_of_flows_do_not_load_prefect() -> None:
    assert loaded_by(FOR_THE_PLATFORM) & set(HEAVY) == set()


@pytest.mark.parametrize(
    "module", ["promptops_flows.engine.server", "promptops_flows.steps.registry"]
)
def test_the_engine_listens_before_prefect_is_loaded(module: str) -> None:
    assert "prefect" not in loaded_by((module, "promptops_flows.engine.__main__"))
