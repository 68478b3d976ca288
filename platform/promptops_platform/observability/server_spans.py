"""The span of each call of the API, which FastAPI itself makes."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig

from promptops_flows.telemetry.tracing import Tracing
from promptops_platform.http.secret_paths import is_hidden

UNTRACED = frozenset({"/health", "/ready", "/metrics"})


def telemetry(tracing: Tracing) -> TelemetryConfig:
    """What FastAPI is given; it makes no span where nobody has asked for traces."""
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
    """Connections that stay for days, what machines ask all the time, and addresses that are
    secrets."""
    path = scope.get("path", "")
    return scope["type"] != "http" or path in UNTRACED or is_hidden(path)
