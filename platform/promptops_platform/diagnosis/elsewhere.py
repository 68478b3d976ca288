"""Checks what else is reached over the network: the collector of traces, and model providers."""

import asyncio
from urllib.parse import urlsplit

from promptops_platform.diagnosis.finding import Finding, Findings, ok, problem, warning
from promptops_platform.diagnosis.shown_settings import without_login
from promptops_platform.settings import Settings
from promptops_providers.transport.address_policy import VENDOR_HOSTS

CONNECT_SECONDS = 3.0
TRACES = "traces"
MODELS = "models"
SECRETS = "secrets"
HTTPS = 443


async def check_token(settings: Settings) -> Findings:
    """Check the static token."""
    if not settings.uses_default_token:
        return [ok(SECRETS, "the static token is one of your own")]
    level = problem if settings.env == "production" else warning
    return [
        level(
            SECRETS,
            "the static token is the well-known default; only this machine can connect, "
            "unless PROMPTOPS_ADDR names a host",
            "set PROMPTOPS_TOKEN to a secret of your own",
        )
    ]


async def check_traces(settings: Settings) -> Findings:
    """Check whether the collector's port can be reached."""
    if settings.otel_endpoint is None:
        return [ok(TRACES, "are not exported; OTEL_EXPORTER_OTLP_ENDPOINT is not set")]
    where = without_login(settings.otel_endpoint)
    parts = urlsplit(settings.otel_endpoint)
    port = parts.port or (HTTPS if parts.scheme == "https" else 80)
    reason = await _why_unreachable(parts.hostname or "", port)
    if reason is None:
        return [ok(TRACES, f"go to {where}, which can be reached")]
    return [
        warning(
            TRACES,
            f"the collector at {where} can't be reached ({reason}); spans are dropped",
            "start it, or correct OTEL_EXPORTER_OTLP_ENDPOINT; it must take OTLP over HTTP",
        )
    ]


async def check_models(settings: Settings) -> Findings:
    """Check whether the hosts of models can be reached."""
    patterns = settings.address_policy.listed
    hosts = [
        (pattern.host.strip("[]"), pattern.port or HTTPS)
        for pattern in patterns
        if "*" not in pattern.host
    ]
    if not patterns:
        hosts = [(host, HTTPS) for host in VENDOR_HOSTS]
    return await asyncio.gather(*(_model_host(host, port) for host, port in hosts))


async def _model_host(host: str, port: int) -> Finding:
    reason = await _why_unreachable(host, port)
    if reason is None:
        return ok(MODELS, f"{host} can be reached")
    return warning(
        MODELS,
        f"{host}:{port} can't be reached ({reason})",
        "needed only for calls of its models: allow connections to it from this machine",
    )


async def _why_unreachable(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer within {CONNECT_SECONDS:g} s"
    except OSError as error:
        return error.strerror or type(error).__name__
    writer.close()
    return None
