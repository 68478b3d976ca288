"""How the platform starts its two child processes: the embedded Prefect server and the run engine.

Only specifications: nothing here imports Prefect or starts a process, so that the platform can
import it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFECT_SERVER = "prefect"
ENGINE = "engine"
WORKER_MODULE = "promptops_flows.worker"
# The file descriptor of the listening socket that the Prefect server inherits.
LISTENER_VARIABLE = "PROMPTOPS_PREFECT_LISTENER"

_DAY_SECONDS = 86_400
# Prefect's default retention.
_EVENT_DAYS = 7

# The last characters of a UUID: they are random, even if it begins with the time.
_ENGINE_ID_CHARACTERS = 12

# docs/decisions/0001-embedded-prefect-store.md explains these values.
_SERVER_TUNING: Mapping[str, str] = {
    # By default the recorder commits every task run event in its own transaction.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    # Whole seconds: Prefect truncates fractions to 0, and an idle server would spin.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}

_PRIVACY: Mapping[str, str] = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}

# The platform's own settings, including its token, the key that decrypts stored keys, and its
# database login. The specifications name what a child needs of them.
_OWN_PREFIXES = ("PROMPTOPS_", "PG")
# Logins for Prefect, which only the engine needs.
_PREFECT_LOGINS = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
# Read with the OpenTelemetry variables, which are passed on unchanged.
_TRACING = ("PROMPTOPS_TRACE_CONTENT",)


@dataclass(frozen=True)
class ChildSpec:
    """One process to keep running.

    `env` overrides what `inherited` keeps of the parent's environment. `log_name` is the log file's
    name without suffix. `fds` are the parent's file descriptors that the child inherits.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log_name: str
    fds: tuple[int, ...] = ()


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The parent's environment without the platform's secrets."""
    return {
        name: value
        for name, value in environment.items()
        if name in _TRACING
        or not (name.upper().startswith(_OWN_PREFIXES) or name.upper() in _PREFECT_LOGINS)
    }


def prefect_home(data: Path) -> Path:
    """The folder that Prefect writes to: its database, profiles and copied UI."""
    return data.resolve() / "prefect"


def prefect_server_spec(
    *,
    data: Path,
    host: str,
    port: int,
    auth: str,
    listener: int | None = None,
    keep_days: int = 0,
) -> ChildSpec:
    """The embedded Prefect server, API under `http://host:port/api`, UI under `/`.

    `listener` is the descriptor of a listening socket of that address, which the server then uses
    instead of opening its own.

    `auth` is `user:password`, required for every API call; it is passed in the environment because
    other users of the machine can read a process's arguments.

    Runs that ended more than `keep_days` ago are deleted; 0 keeps all.
    """
    home = prefect_home(data)
    env = {
        **_SERVER_TUNING,
        **_PRIVACY,
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_MEMO_STORE_PATH": str(home / "memo_store.toml"),
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": _own_origins(host, port),
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_UI_API_URL": f"http://{_in_url(host)}:{port}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Prefect's default is a folder inside the installed package, which may be read-only.
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        # Prefect hides each "database is locked" by default; here it would be a bug.
        "PREFECT_SERVER_LOG_RETRYABLE_ERRORS": "true",
        "PREFECT_LOGGING_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
        **_retention(keep_days),
    }
    if listener is not None:
        env[LISTENER_VARIABLE] = str(listener)
    return ChildSpec(
        name=PREFECT_SERVER,
        argv=(sys.executable, "-m", "promptops_flows.prefect_server"),
        env=env,
        log_name=PREFECT_SERVER,
        fds=() if listener is None else (listener,),
    )


def engine_spec(
    *,
    socket: Path,
    instance: str,
    data: Path,
    prefect_api_url: str,
    prefect_auth: str | None,
    concurrency: int,
    drain_seconds: float,
    provider_hosts: str = "",
    tool_hosts: str = "",
    development: bool = False,
) -> ChildSpec:
    """The run engine: accepts runs on the Unix socket `socket`, and executes at most `concurrency`
    at once.

    `instance` is the platform's identity, whose last part becomes the engine's. The engine tags its
    runs in Prefect with it, and ends the unfinished runs of a previous engine that was killed.

    `provider_hosts` are the hosts that models may be called at, `tool_hosts` those of HTTP tools,
    both as in `AddressPolicy.of_hosts`; in development loopback is allowed as well.

    On SIGTERM running runs have up to `drain_seconds` to finish. `prefect_auth` is `user:password`
    of the Prefect API; None uses the parent's own Prefect variables.
    """
    home = prefect_home(data)
    env = {
        **_PRIVACY,
        "PROMPTOPS_ENGINE_SOCKET": str(socket),
        "PROMPTOPS_ENGINE_ID": instance[-_ENGINE_ID_CHARACTERS:],
        "PROMPTOPS_ENGINE_CONCURRENCY": str(concurrency),
        "PROMPTOPS_ENGINE_DRAIN_SECONDS": f"{drain_seconds:g}",
        "PROMPTOPS_PROVIDER_HOSTS": provider_hosts,
        "PROMPTOPS_TOOL_HOSTS": tool_hosts,
        "PROMPTOPS_ENV": "development" if development else "production",
        "PREFECT_API_URL": prefect_api_url,
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        # The platform logs runs itself; sending each line to Prefect's API costs about 70 ms per
        # run.
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    env |= {name: os.environ[name] for name in _PREFECT_LOGINS if name in os.environ}
    if prefect_auth is not None:
        env["PREFECT_API_AUTH_STRING"] = prefect_auth
    # A proxy from the environment can't reach a server on this machine's loopback.
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost,::1")))
    argv = (sys.executable, "-m", "promptops_flows.engine")
    return ChildSpec(name=ENGINE, argv=argv, env=env, log_name=ENGINE)


def worker_environment(
    environment: Mapping[str, str], settings: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The arguments and the environment of the worker that `promptops worker --server` becomes.
    `settings` are the variables that the worker reads."""
    env = {
        **inherited(environment),
        **_PRIVACY,
        **settings,
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
        "PYTHONUNBUFFERED": "1",
    }
    env |= {name: environment[name] for name in _PREFECT_LOGINS if name in environment}
    return (sys.executable, "-m", WORKER_MODULE), env


def _retention(keep_days: int) -> dict[str, str]:
    """Prefect's own vacuum service deletes old runs with everything that belongs to them."""
    if not keep_days:
        return {}
    vacuum = "PREFECT_SERVER_SERVICES_DB_VACUUM"
    return {
        f"{vacuum}_ENABLED": "events,flow_runs",
        f"{vacuum}_RETENTION_PERIOD": str(keep_days * _DAY_SECONDS),
        # ISO 8601: unlike the other setting, it doesn't accept seconds.
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{min(keep_days, _EVENT_DAYS)}D",
    }


def _own_origins(host: str, port: int) -> str:
    # Prefect allows any origin by default, so that every web page in the same browser could try.
    hosts = dict.fromkeys((_in_url(host), "127.0.0.1", "localhost"))
    return ",".join(f"http://{name}:{port}" for name in hosts)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
