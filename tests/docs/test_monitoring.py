"""The dashboard and the alerts of deploy/."""

import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.monitoring import (
    ALERTS,
    DASHBOARD,
    expressions,
    metric_names,
    panel_expressions,
    panels,
    rules,
)
from harness.walks import ROOT

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian: apt-get install prometheus)"
)
PAGE = (ROOT / "docs" / "observability.md").read_text()


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_are_raised_when_they_should_be() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("test", "rules", str(ALERTS.with_name("alerts_test.yml")))


@needs_promtool
def test_queries_of_the_dashboard_are_ones(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(panel_expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    promtool("check", "rules", str(file))


def test_each_alert_is_tested_and_explained() -> None:
    names = [rule["alert"] for rule in rules()]
    tests = yaml.safe_load(ALERTS.with_name("alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    raised = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert raised == silent == set(names)
    assert re.findall(r"^\| `(PromptOps\w+)` \|", PAGE, re.MULTILINE) == names


def test_queries_use_labels_that_their_metrics_have() -> None:
    labels: dict[str, set[str]] = {}
    for first, second in re.findall(r"^\| (`promptops_[^|]+) \| ([^|]*) \|", PAGE, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", first):
            labels[name] = set(re.findall(r"`(\w+)`", second))
    everywhere = {"job", "instance", "le"}
    for expression in expressions():
        names = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metric_names(expression)}
        allowed = everywhere.union(*(labels.get(name, set()) for name in names))
        matched = re.findall(r"(\w+)(?:=|!=|=~|!~)\"", expression)
        grouped = ",".join(re.findall(r"\bby \(([^)]*)\)", expression)).replace(" ", "")
        assert {*matched, *filter(None, grouped.split(","))} <= allowed, expression


def test_panels_have_places_of_their_own() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for first, second in itertools.combinations([panel["gridPos"] for panel in panels()], 2):
        beside = first["x"] + first["w"] <= second["x"] or second["x"] + second["w"] <= first["x"]
        below = first["y"] + first["h"] <= second["y"] or second["y"] + second["h"] <= first["y"]
        assert beside or below, (first, second)
    variables = {item["name"] for item in json.loads(DASHBOARD.read_text())["templating"]["list"]}
    assert {"datasource", "job", "instance"} == variables
