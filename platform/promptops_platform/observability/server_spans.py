"""The span of each API call, which FastAPI itself creates."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig

from promptops_flows.telemetry.tracing import Tracing
from promptops_platform.http.secret_paths import is_hidden

UNTRACED = frozenset({"/health", "/ready", "/metrics"})


def telemetry(tracing: Tracing) -> TelemetryConfig:
    """Return the telemetry for FastAPI; it creates no spans if traces are disabled."""
    return {
        "tracing": tracing.is_on,
        "tracer_provider": tracing.provider,
        "exclude": _is_untraced,
        "operation_spans": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,
    }


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    """Long-lived connections, paths that machines poll, and paths that are secrets."""
    path = scope.get("path", "")
    return scope["type"] != "http" or path in UNTRACED or is_hidden(path)
