"""Headers that a definition may contain: none with secrets, and none that the connection sets
itself."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_HEADERS = 20
LONGEST_HEADER = 2_000
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
# Set by the connection or the request itself.
SETTLED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Header names for keys, which everybody who may read the definition could read.
TELLING = re.compile(
    r"auth(?!ors?\b)|token|secret|password|passwd|api-?key|cookie|credential|signature"
)


class HeaderError(ValueError):
    """A header that can't be sent; the message is one sentence."""


def check_headers(headers: Mapping[str, object]) -> None:
    """Raises `HeaderError`."""
    if len(headers) > MOST_HEADERS:
        raise HeaderError(f"are {len(headers)}, at most {MOST_HEADERS} are sent")
    lowered: set[str] = set()
    for name, text in headers.items():
        _check_name(name)
        if not isinstance(text, str) or len(text) > LONGEST_HEADER:
            raise HeaderError(f"the value of {name!r} must be at most {LONGEST_HEADER} characters")
        if not HEADER_VALUE.fullmatch(text):
            raise HeaderError(f"the value of {name!r} must be printable ASCII on one line")
        if name.lower() in lowered:
            raise HeaderError(f"{name!r} occurs twice, in upper and lower case; keep one")
        lowered.add(name.lower())


def _check_name(name: str) -> None:
    if not HEADER_NAME.fullmatch(name):
        raise HeaderError(f"{name!r} is not the name of a header; use letters, digits and hyphens")
    if name.lower() in SETTLED_HEADERS:
        raise HeaderError(f"{name!r} is set by the request itself; leave it out")
    if TELLING.search(name.lower()):
        raise HeaderError(
            f"{name.lower()!r} looks like the header of a secret, which everybody who may read the "
            "definition could read; call a service that needs none, such as a gateway of your own "
            "that adds it"
        )
