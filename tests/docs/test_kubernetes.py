"""The manifests of deploy/kubernetes."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from harness.walks import ROOT
from promptops_platform.settings import Settings

FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.30", "1.37"
POD_OWNERS = {"StatefulSet", "Deployment", "Job"}
# The worker's key is made once the platform runs.
MADE_LATER = {"promptops-worker"}

Manifest = dict[str, Any]


def manifests(text: str) -> list[Manifest]:
    return list(yaml.safe_load_all(text))


def written() -> Iterator[Manifest]:
    """What the files contain, except for those that only kustomize can read."""
    for path in sorted(FOLDER.glob("*/*.yaml")):
        if path.name != "kustomization.yaml" and path != FOLDER / "scaled" / "platform.yaml":
            yield from manifests(path.read_text())


def kustomization(folder: str) -> Manifest:
    (manifest,) = manifests((FOLDER / folder / "kustomization.yaml").read_text())
    return manifest


def literals(folder: str, name: str) -> dict[str, str]:
    """The variables of a generated config map."""
    (made,) = [it for it in kustomization(folder)["configMapGenerator"] if it["name"] == name]
    return dict(line.split("=", 1) for line in made["literals"])


def secrets(folder: str) -> list[Manifest]:
    return manifests((FOLDER / folder / "secret.example.yaml").read_text())


@pytest.fixture(scope="module", params=["base", "scaled"])
def rendered(request: pytest.FixtureRequest) -> list[Manifest]:
    """All manifests of a folder as `kubectl apply --kustomize` sends them, and its secrets."""
    folder = str(FOLDER / request.param)
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "kustomize", folder]
    elif kustomize := shutil.which("kustomize"):
        command = [kustomize, "build", folder]
    else:
        pytest.skip("needs kubectl or kustomize")
    shown = subprocess.run(command, capture_output=True, check=False, text=True)
    assert shown.returncode == 0, shown.stderr
    return manifests(shown.stdout) + secrets(request.param)


def pods(items: list[Manifest]) -> list[Manifest]:
    return [item["spec"]["template"] for item in items if item["kind"] in POD_OWNERS]


def test_what_is_written_fits_the_schemas_of_the_oldest_release() -> None:
    checked = 0
    for manifest in written():
        kubernetes_validate.validate(manifest, OLDEST, strict=True)
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("rendered", ["scaled"], indirect=True)
def test_what_is_applied_fits_the_schemas_of_the_newest_release(rendered: list[Manifest]) -> None:
    for manifest in rendered:
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_all_pods_are_restricted() -> None:
    templates = pods(list(written()))
    assert len(templates) == 7
    for template in templates:
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_names_lead_to_what_is_applied(rendered: list[Manifest]) -> None:
    names = {(item["kind"], item["metadata"]["name"]) for item in rendered}
    names |= {("Secret", name) for name in MADE_LATER}
    for template in pods(rendered):
        for container in template["spec"]["containers"]:
            for source in container.get("envFrom", []):
                kind, reference = next(iter(source.items()))
                assert (kind[0].upper() + kind[1:-3], reference["name"]) in names
        for volume in template["spec"].get("volumes", []):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in names
    labels = [template["metadata"]["labels"] for template in pods(rendered)]
    selectors = list(chosen(rendered))
    assert len(selectors) >= 5
    for selector in selectors:
        assert any(selector.items() <= of_pod.items() for of_pod in labels), selector


def chosen(rendered: list[Manifest]) -> Iterator[dict[str, str]]:
    """The labels by which services, budgets and policies choose pods."""
    for item in rendered:
        if item["kind"] == "Service":
            yield item["spec"]["selector"]
        elif item["kind"] == "PodDisruptionBudget":
            yield item["spec"]["selector"]["matchLabels"]
        elif item["kind"] == "NetworkPolicy":
            yield item["spec"]["podSelector"].get("matchLabels", {})


def test_settings_are_ones_of_the_platform() -> None:
    """A misspelt variable would be ignored."""
    names = set()
    for name, field in Settings.model_fields.items():
        choices = getattr(field.validation_alias, "choices", None)
        names.add(str(choices[0]) if choices else f"PROMPTOPS_{name}".upper())
    settings = {**literals("base", "settings"), **literals("scaled", "settings")}
    for folder in ("base", "scaled"):
        secret = next(it for it in secrets(folder) if it["metadata"]["name"] == "promptops")
        settings |= secret["stringData"]
    assert set(settings) <= names


def test_parts_of_the_scaled_installation_are_those_of_compose() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    prefect = literals("scaled", "prefect-settings")
    for name, value in services["prefect"]["environment"].items():
        if "$" not in value:
            assert prefect[name] == value
    images = {
        c["image"] for template in pods(list(written())) for c in template["spec"]["containers"]
    }
    of_compose = {services[name]["image"] for name in ("prefect", "postgres", "redis")}
    assert images == of_compose | {"promptops"}
    counts = {item["name"]: item["count"] for item in kustomization("scaled")["replicas"]}
    assert counts["worker"] == services["worker"]["deploy"]["replicas"]
    assert counts["prefect"] == services["prefect"]["deploy"]["replicas"]
    database = FOLDER / "scaled" / "prefect.sql"
    assert database.read_text() == (ROOT / "deploy" / "prefect.sql").read_text()
