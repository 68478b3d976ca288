"""Checks the processes: the platform on its port, the run engine on its socket, and Prefect."""

from importlib.metadata import version
from pathlib import Path

import httpx

from promptops_flows.protocol.engine_client import EngineClient
from promptops_platform.data_folder import holder
from promptops_platform.diagnosis.finding import Finding, Findings, ok, problem, warning
from promptops_platform.diagnosis.shown_settings import without_login
from promptops_platform.listen_addresses import ALL_HOSTS, ListenAddress, open_sockets
from promptops_platform.settings import Settings

PLATFORM = "platform"
ENGINE = "engine"
PREFECT = "prefect"
ANSWER_SECONDS = 3.0
LOOPBACK = "127.0.0.1"
REFUSALS = (401, 403)


async def check_platform(settings: Settings) -> Findings:
    """Check the port, and what a running platform reports about itself."""
    address = settings.listen
    if holder(settings.data) is None:
        return [_port(address)]
    host = LOOPBACK if address.host in (None, *ALL_HOSTS) else address.host
    where = f"http://{f'[{host}]' if ':' in str(host) else host}:{address.port}"
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{where}/ready")
            parts = answer.json()["parts"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return [
            problem(
                PLATFORM,
                f"a platform runs on the data folder, but none answers at {where}",
                "give this command the settings of the platform, PROMPTOPS_ADDR for one; or wait, "
                "where it has just been started",
            )
        ]
    return [ok(PLATFORM, f"answers at {where}"), *(_part(*part) for part in parts.items())]


def _part(name: str, part: dict[str, object]) -> Finding:
    text = f"the {name} {part['detail']}"
    if part["ok"]:
        return ok(PLATFORM, text)
    return problem(PLATFORM, text, "see its other findings here, and the logs in the data folder")


def _port(address: ListenAddress) -> Finding:
    where = f"{address.host or ''}:{address.port}"
    try:
        for listener in open_sockets(
            address.hosts(loopback_only=address.host is None), address.port
        ):
            listener.close()
    except OSError as error:
        return problem(
            PLATFORM,
            f"does not run, and can't listen on {where} ({error.strerror or error})",
            "stop the program that listens there, or set PROMPTOPS_ADDR to a free address",
        )
    return ok(PLATFORM, f"does not run; {where} is free for it")


async def check_engine(settings: Settings) -> Findings:
    """Ask the engine on the data folder's socket."""
    try:
        socket = settings.engine_socket
    except ValueError:
        return []  # reported by the data folder's check
    runs = holder(settings.data) is not None
    if not socket.exists() and not runs:
        return [ok(ENGINE, "does not run; promptops up starts it")]
    missing = await EngineClient(socket).why_not_ready()
    if missing is None:
        return [ok(ENGINE, "responds on its socket and accepts runs")]
    if not runs:
        return [
            ok(ENGINE, "does not run, but has left its socket behind; its next start reuses it")
        ]
    return [
        problem(
            ENGINE,
            missing.reason,
            "see logs/engine.log in the data folder; with promptops serve, start a promptops "
            "worker on the same folder",
        )
    ]


async def check_prefect(settings: Settings) -> Findings:
    """Check the Prefect server of the runs: reachable, same version as the client, and login."""
    if settings.prefect_api_url is not None:
        password = settings.prefect_api_auth_string
        auth = password.get_secret_value() if password else None
        return [await _prefect(settings.prefect_api_url, auth)]
    if holder(settings.data) is None:
        return [ok(PREFECT, "the embedded server does not run; promptops up starts it")]
    auth = _stored_login(settings.data / "prefect" / "credentials")
    finding = await _prefect(f"http://{LOOPBACK}:{settings.prefect_port}/api", auth)
    if finding.level == "ok":
        return [finding]
    text = f"at port {settings.prefect_port}: {finding.text}"
    return [
        warning(
            PREFECT,
            text,
            "where that port was taken, it moved to another one, which the text at the start "
            "names; else see logs/prefect.log in the data folder",
        )
    ]


def _stored_login(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


async def _prefect(api_url: str, auth: str | None) -> Finding:
    where = without_login(api_url).rstrip("/")
    user, _, password = (auth or "").partition(":")
    login = httpx.BasicAuth(user, password) if auth else None
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            answer = await client.get(f"{api_url.rstrip('/')}/admin/version", auth=login)
            server_version = answer.json() if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return problem(
            PREFECT,
            f"no Prefect server answers at {where}",
            "start it, or correct PREFECT_API_URL, which ends in /api",
        )
    if answer.status_code in REFUSALS:
        return problem(
            PREFECT,
            f"the server at {where} refuses the login",
            "set PREFECT_API_AUTH_STRING to its user:password",
        )
    if not isinstance(server_version, str):
        return problem(
            PREFECT,
            f"the server at {where} is not a Prefect server (HTTP {answer.status_code})",
            "correct PREFECT_API_URL, which ends in /api",
        )
    return _of_version(where, server_version)


def _of_version(where: str, server_version: str) -> Finding:
    client_version = version("prefect")
    if server_version == client_version:
        return ok(
            PREFECT, f"the server at {where} responds, accepts the login, and is {server_version}"
        )
    return warning(
        PREFECT,
        f"the server at {where} is {server_version}, and this release's client {client_version}",
        f"run a Prefect server {client_version}; others are not tested",
    )
