"""Validators of single settings: each returns the value, or raises ValueError with the reason and a
remedy."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from pydantic import SecretStr

from promptops_platform.db.location import PostgresUrl
from promptops_platform.listen_addresses import ListenAddress
from promptops_platform.sealing import parsed_keys
from promptops_providers.transport.address_policy import AddressPolicy


def stripped_secret(value: SecretStr) -> SecretStr:
    """Strip the value, because tokens of requests are stripped, too."""
    token = value.get_secret_value().strip()
    if not token:
        raise ValueError("is blank; set a token, or leave the variable out")
    return SecretStr(token)


def listen_address(value: str) -> str:
    ListenAddress.parse(value)
    return value


def host_patterns(value: str) -> str:
    AddressPolicy.of_hosts(value)
    return value


def postgres_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        PostgresUrl(value.get_secret_value())
    return value


def secret_keys(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        parsed_keys(value.get_secret_value())
    return value


def http_url(value: str | None) -> str | None:
    if value is not None and not value.startswith(("http://", "https://")):
        raise ValueError(
            "must begin with http:// or https://; give a collector's OTLP/HTTP address"
        )
    return value


def page_url(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            f"{value!r} is not the address of a page; use http(s)://host[:port][/path]"
        )
    return value.rstrip("/")


def comma_separated(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# A value that matches no request would be noticed only by whom it refuses, or admits.
ORIGIN = re.compile(r"\*|https?://(\[[0-9a-fA-F:.]+\]|[^/\s:*?#@]+)(:[0-9]{1,5})?")
HOST = re.compile(r"\*|\[[0-9a-fA-F:.]+\]|(\*\.)?[^/\s:*?#@\[\]]+")


def origin_list(value: str | None) -> str | None:
    _refuse(
        (origin for origin in comma_separated(value or "") if not ORIGIN.fullmatch(origin)),
        "is not a valid origin; use scheme://host or scheme://host:port without a path, or * for "
        "any",
    )
    return value


def host_list(value: str) -> str:
    _refuse(
        (host for host in comma_separated(value) if not HOST.fullmatch(host)),
        "is not a host; use a name or an address without scheme and port, *.example.org for any "
        "below that name, or * for any",
    )
    return value


def proxy_list(value: str) -> str:
    _refuse(
        (proxy for proxy in comma_separated(value) if not _is_network(proxy)),
        "is not an address or network; write it like 10.0.0.7 or 10.0.0.0/8",
    )
    return value


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _refuse(wrong: Iterable[str], rule: str) -> None:
    for value in wrong:
        raise ValueError(f"{value!r} {rule}")
