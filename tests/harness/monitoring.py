"""The files in deploy/ for Prometheus and Grafana."""

import json
import re
from typing import Any

import yaml

from harness.walks import ROOT

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "promptops.json"
# `le`, `job` and the like are words of a query as well, but no metric begins like this.
METRIC = re.compile(r"\b(?:promptops|process)_\w+")


def rules() -> list[dict[str, Any]]:
    """The alerts, with `alert` and `expr`."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    listed: list[dict[str, Any]] = group["rules"]
    return listed


def panels() -> list[dict[str, Any]]:
    """All panels of the dashboard, including its rows."""
    listed: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return listed


def panel_expressions() -> list[str]:
    """The queries of the dashboard, with its variables in them."""
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def expressions() -> list[str]:
    """The queries of the dashboard and the alerts."""
    return [rule["expr"] for rule in rules()] + panel_expressions()


def metric_names(expression: str) -> set[str]:
    """Names of samples, with `_total`, `_bucket` and `_count`."""
    without_labels = re.sub(r"\{[^}]*\}+", "", re.sub(r'"[^"]*"', "", expression))
    return set(METRIC.findall(without_labels))
