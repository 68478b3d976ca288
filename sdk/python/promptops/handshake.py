"""Builds WebSocket handshakes and parses HTTP heads, without input and output.

Source: RFC 6455, section 4.1. It offers no extensions and no subprotocols, so none may come.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import re
from collections.abc import Mapping
from email.message import Message

from promptops.errors import ProtocolError
from promptops.transport import ServerAddress
from promptops.version import USER_AGENT

LARGEST_HEAD = 64 * 1024

_LENGTH = re.compile(r"[0-9]{1,15}")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |$)")
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def handshake_request(
    address: ServerAddress, path: str, headers: Mapping[str, str]
) -> tuple[bytes, str]:
    """Return the request, and the key that the response must match."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {address.path}{path} HTTP/1.1",
        f"Host: {address.host_header}",
        f"User-Agent: {USER_AGENT}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii"), key


def parse_head(head: bytes) -> tuple[int, Message]:
    """Return status and headers; ProtocolError if it is not HTTP."""
    first, _, rest = head.partition(b"\r\n")
    status_line = _STATUS_LINE.match(first)
    if status_line is None:
        raise ProtocolError(f"not an HTTP response: {first[:100]!r}")
    try:
        fields = http.client.parse_headers(io.BytesIO(rest))
    except http.client.HTTPException as error:
        raise ProtocolError(f"the response has bad headers: {error!r}") from error
    return int(status_line.group(1)), fields


def check_upgrade(fields: Message, key: str) -> None:
    """Raises ProtocolError if a response with status 101 does not match our handshake."""
    digest = hashlib.sha1(key.encode() + _ACCEPT_GUID, usedforsecurity=False).digest()
    connection = ",".join(fields.get_all("Connection", [])).lower().split(",")
    if fields.get("Upgrade", "").strip().lower() != "websocket" or "upgrade" not in [
        token.strip() for token in connection
    ]:
        raise ProtocolError("the server did not upgrade the connection to a WebSocket")
    if fields.get("Sec-WebSocket-Accept", "").strip() != base64.b64encode(digest).decode():
        raise ProtocolError("the handshake's response belongs to another request")
    for header in ("Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"):
        if fields.get(header, "").strip():
            raise ProtocolError(f"the server chose a {header} that was not offered")


def refusal_length(fields: Message) -> int:
    """Return how much of a refusal's body to read, for the server's message in it."""
    length = fields.get("Content-Length", "").strip()
    return min(int(length), LARGEST_HEAD) if _LENGTH.fullmatch(length) else 0
