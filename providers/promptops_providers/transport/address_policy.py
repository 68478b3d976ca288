"""Which addresses the platform's outgoing calls may reach.

Models and HTTP tools are called at addresses that users give, from a machine that reaches more than
those users do. So the host must be one that the operator allows, and what its name resolves to is
judged as well:

| The host | What it may resolve to |
|---|---|
| listed by the operator | anything but what is never allowed |
| `localhost`, or a loopback address, where loopback is allowed | loopback |
| a vendor's own, for models, where the operator lists none | global addresses, by https only |
| any other, where the list holds `*` | global addresses |

Never allowed are link-local, multicast, reserved and unspecified addresses, and those at which
clouds serve their machines' credentials. An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64,
Teredo) is judged as itself.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

import httpx

VENDOR_HOSTS: tuple[str, ...] = (
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "ollama.com",
)
HOSTS_SETTING = "PROMPTOPS_PROVIDER_HOSTS"
TOOL_HOSTS_SETTING = "PROMPTOPS_TOOL_HOSTS"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Azure, Google and most others
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle
    )
)
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
# NAT64, its local prefix, and the IPv4-compatible addresses of old.
_IPV4_AT_THE_END = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")
)
_PATTERN = re.compile(r"(\*|(?:\*\.)?[^\s*:/@\[\]]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?")
_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|\d+)(?:\.(?:0[xX][0-9a-fA-F]*|\d+)){0,3}", re.ASCII)


class ForbiddenAddress(Exception):
    """An address that may not be called; `sentence` names the host and what to do about it."""

    def __init__(self, host: str, sentence: str) -> None:
        super().__init__(sentence)
        self.host = host
        self.sentence = sentence


class Trust(Enum):
    """Why a host may be called, which settles what it may resolve to."""

    LISTED = "listed"
    LOOPBACK = "loopback"
    VENDOR = "vendor"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class HostPattern:
    """`host` in lower case and ASCII; `*.example.org` is any name below that one, `*` any host."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """`name`, `*.name`, an IP address (IPv6 in brackets) or `*`, each with or without `:port`.

        Raises ValueError with a sentence.
        """
        match = _PATTERN.fullmatch(text.strip())
        port = int(match[2]) if match and match[2] else None
        if match is None or (port is not None and not 0 < port < 65536):
            raise ValueError(
                f"{text!r} is not a host: give a name, *.name or an IP address (IPv6 in brackets), "
                "with or without :port"
            )
        if match[1] == "*":
            return cls("*", port)
        below = match[1].startswith("*.")
        try:
            host = _canonical(httpx.URL(f"http://{match[1].removeprefix('*.')}/"))
        except httpx.InvalidURL as error:
            raise ValueError(f"{text!r} is not a host: {error}") from error
        return cls(f"*.{host}" if below else host, port)

    def matches(self, host: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return self.host in ("*", host)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Without `listed` hosts, the `vendors` are allowed. A list replaces them.

    `setting` is what refusals name as the place to list a host.
    """

    listed: tuple[HostPattern, ...] = ()
    allow_loopback: bool = False
    setting: str = HOSTS_SETTING
    vendors: tuple[str, ...] = VENDOR_HOSTS

    @classmethod
    def of_tools(
        cls, hosts: str | Iterable[str] = "", *, allow_loopback: bool = False
    ) -> AddressPolicy:
        """As `of_hosts`, for the HTTP tools of agents, which have no business with vendors."""
        policy = cls.of_hosts(hosts, allow_loopback=allow_loopback, setting=TOOL_HOSTS_SETTING)
        return replace(policy, vendors=())

    @classmethod
    def of_hosts(
        cls,
        hosts: str | Iterable[str],
        *,
        allow_loopback: bool = False,
        setting: str = HOSTS_SETTING,
    ) -> AddressPolicy:
        """From patterns, or from a text of them with commas between; raises ValueError."""
        texts = hosts.split(",") if isinstance(hosts, str) else hosts
        listed = tuple(HostPattern.parse(text) for text in texts if text.strip())
        return cls(listed, allow_loopback, setting)

    def check_url(self, url: str | httpx.URL) -> httpx.URL:
        """The URL, parsed, when it may be called as far as can be told without resolving its host.

        Raises `ForbiddenAddress`.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ForbiddenAddress("", f"the address is not a URL: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ForbiddenAddress(parsed.host, "the address must begin with http:// or https://")
        if parsed.userinfo:
            raise ForbiddenAddress(
                parsed.host, "the address must not hold a user name or a password, give a key"
            )
        if parsed.port is not None and not 0 < parsed.port < 65536:
            raise ForbiddenAddress(parsed.host, f"there is no port {parsed.port}, give another")
        host = _canonical(parsed)
        literal = literal_address(host)
        # First: nobody should be told to list an address that is never called.
        if literal is not None:
            _refuse_never_allowed(host, literal)
        trust = self.trust(host, parsed.port or _default_port(parsed.scheme))
        if trust is Trust.VENDOR and parsed.scheme != "https":
            raise ForbiddenAddress(host, f"host {host} is called by https only")
        if literal is not None:
            self.check_address(host, literal, trust)
        return parsed

    def trust(self, host: str, port: int) -> Trust:
        """Raises `ForbiddenAddress` for a host that is not allowed."""
        host = _one_spelling(host)
        patterns = [pattern for pattern in self.listed if pattern.host != "*"]
        if any(pattern.matches(host, port) for pattern in patterns):
            return Trust.LISTED
        if self.allow_loopback and _is_loopback_name(host):
            return Trust.LOOPBACK
        if not self.listed and host in self.vendors:
            return Trust.VENDOR
        if any(pattern.matches(host, port) for pattern in self.listed):
            return Trust.GLOBAL
        raise ForbiddenAddress(
            host, f"host {host} is not allowed, list it in {self.setting} to allow it"
        )

    def check_address(self, host: str, address: IPAddress, trust: Trust) -> None:
        """Raises `ForbiddenAddress` unless the host may resolve to this address."""
        _refuse_never_allowed(host, address)
        address = _innermost(address)
        if trust is Trust.LISTED:
            return
        if trust is Trust.LOOPBACK:
            if not address.is_loopback:
                raise ForbiddenAddress(host, f"{_where(host, address)} is not loopback")
        elif not address.is_global:
            raise ForbiddenAddress(
                host,
                f"{_where(host, address)} is not a global address, list the host in "
                f"{self.setting} to allow it",
            )


def literal_address(host: str) -> IPAddress | None:
    """The IP address that the host is, in any spelling that resolvers take; None for a name."""
    bare = host.removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    if not _NUMERIC.fullmatch(bare):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except OSError:
        return None


def _canonical(url: httpx.URL) -> str:
    """The host in ASCII and lower case; an IP address in its one usual spelling."""
    return _one_spelling(url.raw_host.decode("ascii"))


def _one_spelling(host: str) -> str:
    literal = literal_address(host)
    return host.lower().removesuffix(".") if literal is None else str(literal)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_loopback_name(host: str) -> bool:
    literal = literal_address(host)
    if literal is not None:
        return _innermost(literal).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _innermost(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one carries, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    within = address.ipv4_mapped or address.sixtofour
    if within is None and address.teredo is not None:
        within = address.teredo[1]
    # Two low values of the compatible range are IPv6's own: unspecified and loopback.
    if any(address in network for network in _IPV4_AT_THE_END) and int(address) > 1:
        within = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return within or address


def _refuse_never_allowed(host: str, address: IPAddress) -> None:
    address = _innermost(address)
    if _is_never_allowed(address):
        raise ForbiddenAddress(
            host, f"{_where(host, address)} is never called: it is not the address of a server"
        )


def _where(host: str, address: IPAddress) -> str:
    return f"host {host}" if host == str(address) else f"host {host}, which is at {address},"


def _is_never_allowed(address: IPAddress) -> bool:
    return (
        address in _METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK)
        or (address.is_reserved and not address.is_loopback)
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )
