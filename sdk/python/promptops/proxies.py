"""HTTP proxies of the environment, and requests for tunnels, without input and output.

 Sources: RFC 9110, section 9.3.6 (CONNECT); RFC 9112, section 3.2.2 (absolute form); RFC 6455,
section 4.1 (a WebSocket uses a tunnel). The variables are read as curl reads them.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from promptops.errors import ProtocolError, ServerUnreachableError
from promptops.masking import masked_url
from promptops.version import USER_AGENT

LARGEST_ANSWER = 64 * 1024
UNAUTHORIZED = 407

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r)")
_EXCEPTION = re.compile(r"(?:\*?\.)?(?P<host>\[.*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(?P<port>[0-9]+))?")


@dataclass(frozen=True)
class Proxy:
    """A proxy that accepts plain HTTP; `url` is the address for logs."""

    url: str
    host: str
    port: int
    authorization: str | None

    @property
    def headers(self) -> list[str]:
        """Return the extra headers of requests that the proxy reads."""
        return [f"Proxy-Authorization: {self.authorization}"] if self.authorization else []

    def tunnel_request(self, authority: str) -> bytes:
        """Return the request for a tunnel to ``host:port``."""
        lines = [
            f"CONNECT {authority} HTTP/1.1",
            f"Host: {authority}",
            f"User-Agent: {USER_AGENT}",
            *self.headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def has_tunnel(self, received: bytes | bytearray) -> bool:
        """Whether the tunnel is open; False if the response is incomplete.

        Raises ServerUnreachableError for a refusal, and ProtocolError for an invalid response.
        """
        head, end, rest = bytes(received).partition(b"\r\n\r\n")
        if not end and len(received) <= LARGEST_ANSWER:
            return False
        status_line = _STATUS_LINE.match(head + b"\r")
        if status_line is None or not end or rest:
            raise ProtocolError(f"the proxy {self.url} sent an invalid response to CONNECT")
        status = int(status_line.group(1))
        if not 200 <= status < 300:
            raise self._refusal(status)
        return True

    def check(self, status: int) -> None:
        """Raises ServerUnreachableError if the response to a forwarded request is the proxy's
        refusal."""
        if status == UNAUTHORIZED:
            raise self._refusal(status)

    def _refusal(self, status: int) -> ServerUnreachableError:
        hint = "; check its user and password" if status == UNAUTHORIZED else ""
        return ServerUnreachableError(f"the proxy {self.url} refused: {status}{hint}")


def proxy_for(
    host: str, port: int, *, secure: bool, environment: Mapping[str, str]
) -> Proxy | None:
    """Return the proxy for this server: HTTPS_PROXY or HTTP_PROXY, by its scheme.

     Returns None if NO_PROXY excludes the server. Lower-case names win. Raises ValueError for an
    unusable proxy.
    """
    name = "https_proxy" if secure else "http_proxy"
    value = _value(name, environment)
    if not value or _is_excepted(host, port, _value("no_proxy", environment)):
        return None
    return _parse(name.upper(), value if _SCHEME.match(value) else f"http://{value}")


def _value(name: str, environment: Mapping[str, str]) -> str:
    # In a CGI program a request's header `Proxy` sets this variable.
    is_forged = name == "http_proxy" and "REQUEST_METHOD" in environment
    value = environment.get(name) or ("" if is_forged else environment.get(name.upper(), ""))
    return value.strip()


def _parse(name: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port or 80
        if parts.scheme != "http" or not host or not host.isprintable() or " " in host:
            raise ValueError
    except ValueError:
        # No cause, because its message may contain a password.
        message = f"{name} must look like http://proxy:3128, not {masked_url(url)!r}"
        raise ValueError(message) from None
    authorization = None
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    return Proxy(masked_url(url), host, port, authorization)


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Exceptions are hosts including their subdomains, networks (10.0.0.0/8) or ``*``, each with
    an optional port."""
    entries = re.split(r"[\s,]+", exceptions.lower())
    return any(_fits(host.lower().rstrip("."), port, entry) for entry in entries if entry)


def _fits(host: str, port: int, entry: str) -> bool:
    if entry == "*" or _is_in_network(host, entry):
        return True
    parts = _EXCEPTION.fullmatch(entry)
    if parts is None or parts["port"] not in {None, str(port)}:
        return False
    name = parts["host"].strip("[]")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _is_in_network(host: str, entry: str) -> bool:
    network = re.sub(r"[\[\]]", "", entry)
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
