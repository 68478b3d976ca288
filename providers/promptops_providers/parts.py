"""The parts of a message that are no text, as adapters translate them.

An address leads to the image or file, which the vendor fetches itself; or it is a `data:` URL
(RFC 2397) that holds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptops_providers.errors import UnsupportedPartError
from promptops_providers.protocol import FilePart, ImagePart

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)((?:;[\w.+-]+=[^;,]*)*);base64,", re.ASCII)
# With upper-case letters and spaces around it, as people write addresses.
_WEB_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Data:
    """What a `data:` URL holds; `base64` as it came."""

    media_type: str
    base64: str


def data_in(part: ImagePart | FilePart, provider: str) -> Data | None:
    """What the part's URL holds, None where it is an address; raises UnsupportedPartError for what
    is neither, as a variable that was not filled."""
    head = _DATA_URL.match(part.url)
    if head is not None:
        return Data(head[1].lower(), part.url[head.end() :])
    if _WEB_ADDRESS.fullmatch(part.url):
        return None
    reason = "its URL is neither https://… nor data:<media type>;base64,…"
    raise unsupported(part, provider, reason, quoted=f"'{shown_url(part)}'")


def unsupported(
    part: ImagePart | FilePart, provider: str, reason: str, quoted: str = ""
) -> UnsupportedPartError:
    """`quoted` is what the prompt says, which not every log may hold."""
    summary = f"provider {provider}: a content part of type {type_of(part)} can't be sent: {reason}"
    return UnsupportedPartError(provider, summary, quoted=quoted)


def type_of(part: ImagePart | FilePart) -> str:
    """As a prompt's author writes it."""
    return "image_url" if isinstance(part, ImagePart) else "file"


def shown_url(part: ImagePart | FilePart) -> str:
    """The beginning of the URL, which may be a megabyte of data."""
    is_short = len(part.url) <= _SHOWN_CHARACTERS
    return part.url if is_short else part.url[:_SHOWN_CHARACTERS] + "…"
