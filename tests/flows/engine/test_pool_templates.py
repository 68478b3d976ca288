"""The base job templates of Docker and Kubernetes pools, as parsed by Prefect's own code."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.server.schemas.actions import WorkPoolCreate
from prefect.states import Scheduled
from prefect.workers.base import BaseJobConfiguration
from pydantic import Field

TEMPLATES = Path(__file__).parents[3] / "docs" / "workers"
ARGUMENTS = "worker --server https://promptops.test --pool gpu --concurrency 1"


class AnyConfiguration(BaseJobConfiguration):
    """With all fields of a template, like those of Prefect's own workers."""

    job_manifest: dict[str, Any] = Field(default_factory=dict)
    volumes: list[str] = Field(default_factory=list)


def template(kind: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((TEMPLATES / f"{kind}-pool.json").read_text())
    return read


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
async def test_prefect_starts_a_worker_for_one_flow_run(kind: str) -> None:
    pool = WorkPoolCreate(name="gpu", type=kind, base_job_template=template(kind))
    values = {"server": "https://promptops.test", "pool": "gpu"}
    nobody = PrefectClient("http://127.0.0.1:1/api")
    configuration = await AnyConfiguration.from_template_and_values(
        pool.base_job_template, values, client=nobody
    )
    flow_run = FlowRun(id=uuid4(), flow_id=uuid4(), name="greeting", state=Scheduled())
    configuration.prepare_for_flow_run(flow_run)
    assert configuration.command == ARGUMENTS
    assert configuration.env["PREFECT__FLOW_RUN_ID"] == str(flow_run.id)
    key_file = configuration.env["PROMPTOPS_WORKER_KEY_FILE"]
    assert key_file is not None
    if kind == "docker":
        assert configuration.volumes == [f"/etc/promptops/worker-key:{key_file}:ro"]
        return
    pod = configuration.job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # Prefect's worker refuses another name.
    assert container["name"] == "prefect-job"
    assert container["args"] == ARGUMENTS
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert key_file == f"{mounts['key']}/key"
    assert {volume["name"] for volume in pod["volumes"]} == set(mounts)
