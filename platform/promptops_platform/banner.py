"""The text that is printed at the start: addresses, logins, and what is unsafe."""

from dataclasses import dataclass
from socket import socket

from promptops_platform.access.service import SEEDED_PASSWORD
from promptops_platform.settings import DEFAULT_TOKEN, Settings


@dataclass(frozen=True)
class PrefectAccess:
    """A Prefect server's API, its `user:password`, and its listener if it is our child process."""

    api_url: str
    auth: str | None
    listener: socket | None

    @property
    def port(self) -> int | None:
        """Return the port of our own server."""
        return None if self.listener is None else int(self.listener.getsockname()[1])


def start_text(
    settings: Settings,
    sockets: list[socket],
    prefect: PrefectAccess | None,
    default_passwords: list[str],
) -> str:
    """Return addresses, logins and a warning for each default secret in use.

    The Prefect password is not printed, so that captured output doesn't contain it; the text names
    its file.
    """
    lines = ["", f"PromptOps is ready: {', '.join(_url(address) for address in sockets)}"]
    lines += [f"  Log in as {name} / {SEEDED_PASSWORD}" for name in default_passwords]
    lines.append(f"  Data folder: {settings.data.resolve()}")
    if prefect is not None:
        lines += _prefect_lines(settings, prefect)
    lines += _warnings(settings, default_passwords)
    return "\n".join([*lines, "  Stop with Ctrl-C.", ""])


def _prefect_lines(settings: Settings, prefect: PrefectAccess) -> list[str]:
    if prefect.port is None:
        return [f"  Runs go to the Prefect server at {prefect.api_url}"]
    credentials = settings.data.resolve() / "prefect" / "credentials"
    lines = [
        f"  Prefect UI: http://127.0.0.1:{prefect.port} (ready in some seconds)",
        f"    log in with the line in {credentials}",
    ]
    if prefect.port != settings.prefect_port:
        lines.append(f"    port {settings.prefect_port} was taken, so it moved to {prefect.port}")
    return lines


def _warnings(settings: Settings, default_passwords: list[str]) -> list[str]:
    lines = []
    if settings.uses_default_token:
        lines.append(
            f"  WARNING: the static token is the default {DEFAULT_TOKEN!r}; set PROMPTOPS_TOKEN."
        )
    lines += [
        f"  WARNING: the account {name!r} still has its default password; change it."
        for name in default_passwords
    ]
    if lines and settings.listen.host is None:
        lines.append("  While a default secret is in use, only this machine can connect.")
    return lines


def _url(listening: socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
