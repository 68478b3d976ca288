"""The run engine's settings: environment variables that its parent process sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptops_providers.transport.address_policy import (
    HOSTS_SETTING,
    TOOL_HOSTS_SETTING,
    AddressPolicy,
)

# Set before Prefect is loaded. Variables that are set already take precedence.
PREFECT_DEFAULTS: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    # Without an API URL Prefect would start its own server in this process.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # The engine checks the version itself, without failing at start while Prefect is down.
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}


class SettingsError(ValueError):
    """A variable is missing or invalid; the message is one sentence that names it."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`concurrency` runs execute at once; a stop waits `drain_seconds` for them.

    `engine_id` stays the same across restarts: it identifies the runs of the previous engine. A
    worker has no socket, and leaves its runs to other workers.
    """

    socket: Path | None
    engine_id: str
    concurrency: int = 16
    drain_seconds: float = 30.0
    address_policy: AddressPolicy = field(default_factory=AddressPolicy)
    tool_policy: AddressPolicy = field(default_factory=AddressPolicy.of_tools)

    @property
    def lock(self) -> Path | None:
        """A file that the engine of that socket locks; a stopping engine may keep the lock for a
        while."""
        return None if self.socket is None else self.socket.with_suffix(".lock")


def read_settings(environment: Mapping[str, str]) -> EngineSettings:
    """Raises `SettingsError`."""
    socket = read_socket(environment)
    engine_id = environment.get("PROMPTOPS_ENGINE_ID", "")
    if not engine_id:
        raise SettingsError("PROMPTOPS_ENGINE_ID is not set, give a name that outlives restarts")
    if not environment.get("PREFECT_API_URL"):
        raise SettingsError("PREFECT_API_URL is not set, give the URL of Prefect's API")
    concurrency = number(environment, "PROMPTOPS_ENGINE_CONCURRENCY", 16.0)
    if concurrency < 1:
        raise SettingsError("PROMPTOPS_ENGINE_CONCURRENCY must be at least 1")
    models, tools = address_policies(environment)
    return EngineSettings(
        engine_id=engine_id,
        socket=socket,
        concurrency=int(concurrency),
        drain_seconds=number(environment, "PROMPTOPS_ENGINE_DRAIN_SECONDS", 30.0),
        address_policy=models,
        tool_policy=tools,
    )


def read_socket(environment: Mapping[str, str]) -> Path:
    """The path of the engine's socket; raises `SettingsError`."""
    socket = environment.get("PROMPTOPS_ENGINE_SOCKET", "")
    if not socket:
        raise SettingsError("PROMPTOPS_ENGINE_SOCKET is not set, give the path of a Unix socket")
    return Path(socket)


def settle_prefect_defaults() -> None:
    for name, value in PREFECT_DEFAULTS.items():
        os.environ.setdefault(name, value)


def address_policies(environment: Mapping[str, str]) -> tuple[AddressPolicy, AddressPolicy]:
    """The address policies for models and for tools; raises `SettingsError`."""
    return (
        _policy(environment, HOSTS_SETTING, AddressPolicy.of_hosts),
        _policy(environment, TOOL_HOSTS_SETTING, AddressPolicy.of_tools),
    )


def _policy(
    environment: Mapping[str, str], setting: str, policy_of: Callable[..., AddressPolicy]
) -> AddressPolicy:
    development = (environment.get("PROMPTOPS_ENV") or "development") == "development"
    try:
        return policy_of(environment.get(setting, ""), allow_loopback=development)
    except ValueError as error:
        raise SettingsError(f"{setting} is wrong: {error}") from error


def number(environment: Mapping[str, str], name: str, default: float) -> float:
    """A number that isn't negative; raises `SettingsError`."""
    text = environment.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name} is {text!r}, give a number that is not negative")
    return value
