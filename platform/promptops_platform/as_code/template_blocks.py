"""Converts between the text of a dotprompt file and the text or messages of a prompt.

The form is described at https://google.github.io/dotprompt/reference/template/. Its helpers `role`,
`history` and `media` are supported; `placeholder` is our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from promptops_flows.templates.language import is_name
from promptops_platform.as_code.yaml_text import FileError

HISTORY = "history"
# dotprompt's name of a role, and that of OpenAI's messages.
_ROLES = {"model": "assistant"}
_FILE_ROLES = {"assistant": "model"}
_TAG = re.compile(r"(\\?)(\{\{\{?)(.*?)(\}\}\}?)", re.DOTALL)
_QUOTED = r"""("[^"{}]*"|'[^'{}]*')"""
_ROLE = re.compile(rf"role\s+{_QUOTED}")
_PLACEHOLDER = re.compile(rf"placeholder\s+{_QUOTED}")
_MEDIA = re.compile(rf"media\s+url=({_QUOTED}|[\w.]+)(?:\s+(?:contentType|mime)={_QUOTED})?")


@dataclass(frozen=True, slots=True)
class Body:
    """`messages` of a chat, None for a text."""

    content: str = ""
    messages: list[dict[str, Any]] | None = None


def parse(text: str, *, first_line: int = 1) -> Body:
    """Parse the body of a prompt. Blanks around the texts are removed.

    Raises FileError, with the line, for anything that PromptOps doesn't support.
    """
    blocks = _Blocks()
    position = 0
    for tag in _TAG.finditer(text):
        blocks.add_text(text[position : tag.start()])
        position = tag.end()
        _take(blocks, tag, first_line + text.count("\n", 0, tag.start()))
    blocks.add_text(text[position:])
    return blocks.ended()


def write(body: Body) -> str | None:
    """Return the text that `parse` reads back to this body; None if there is none."""
    blocks = body.messages
    text = body.content if blocks is None else "\n".join(map(_block, blocks))
    try:
        return text if parse(text) == body else None
    except FileError:
        return None


@dataclass(slots=True)
class _Blocks:
    """Collects text until another block comes."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    is_chat: bool = False
    _role: str | None = "user"
    _parts: list[dict[str, Any]] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)

    def add_text(self, text: str) -> None:
        self._text.append(text)

    def begin(self, role: str | None) -> None:
        self.is_chat = True
        self._end_message()
        self._role = role

    def add_placeholder(self, name: str) -> None:
        self.begin(None)
        self.messages.append({"type": "placeholder", "name": name})

    def add_image(self, url: str, line: int) -> None:
        self.is_chat = True
        if self._role is None:
            raise FileError('put {{role "user"}} before the image', line)
        self._end_text()
        self._parts.append({"type": "image_url", "image_url": {"url": url}})

    def ended(self) -> Body:
        if not self.is_chat:
            return Body("".join(self._text).strip())
        self._end_message()
        return Body(messages=self.messages)

    def _end_text(self) -> None:
        text = "".join(self._text).strip()
        self._text = []
        if text:
            self._parts.append({"type": "text", "text": text})

    def _end_message(self) -> None:
        self._end_text()
        parts, self._parts = self._parts, []
        if not parts:
            return
        if self._role is None:
            raise FileError("a text follows a placeholder; begin it with {{role ...}}")
        is_text = len(parts) == 1 and parts[0]["type"] == "text"
        content = parts[0]["text"] if is_text else parts
        self.messages.append({"role": self._role, "content": content})


def _take(blocks: _Blocks, tag: re.Match[str], line: int) -> None:
    escape, opening, inner, closing = tag.groups()
    word = inner.strip()
    if escape:
        raise FileError("escaped braces have no counterpart; remove the \\", line)
    if word.startswith("!"):
        return  # a comment
    if role := _ROLE.fullmatch(word):
        name = role[1][1:-1]
        blocks.begin(_ROLES.get(name, name))
    elif word == HISTORY:
        blocks.add_placeholder(HISTORY)
    elif placeholder := _PLACEHOLDER.fullmatch(word):
        blocks.add_placeholder(placeholder[1][1:-1])
    elif media := _MEDIA.fullmatch(word):
        blocks.add_image(_address(media), line)
    elif re.fullmatch(r"[\w.]+", word) and is_name(word) and len(opening) == len(closing):
        blocks.add_text(tag[0] if len(opening) == 2 else "{{" + word + "}}")
    else:
        raise FileError(_refusal(word), line)


def _address(media: re.Match[str]) -> str:
    url = media[1]
    return url[1:-1] if url[0] in "\"'" else "{{" + url + "}}"


def _refusal(word: str) -> str:
    shown = word if len(word) <= 40 else f"{word[:40]}…"
    if word.startswith(">"):
        return (
            f"{{{{{shown}}}}} inserts another file; PromptOps has no partials, write the text here"
        )
    if word[:1] in ("#", "/", "^") or word == "else":
        return f"{{{{{shown}}}}} is a block; PromptOps has no conditions and loops in prompts"
    return f"{{{{{shown}}}}} is not a variable, and PromptOps has no such helper"


def _block(message: dict[str, Any]) -> str:
    if message.get("type") == "placeholder":
        name = message.get("name")
        return "{{history}}" if name == HISTORY else f'{{{{placeholder "{name}"}}}}'
    role = _FILE_ROLES.get(message["role"], message["role"])
    content = message.get("content") or ""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "\n".join([f'{{{{role "{role}"}}}}', *map(_part, parts)])


def _part(part: dict[str, Any]) -> str:
    if part["type"] == "text":
        return str(part["text"])
    url = str(part.get("image_url", {}).get("url", ""))
    variable = re.fullmatch(r"\{\{([\w.]+)\}\}", url)
    return f"{{{{media url={variable[1]}}}}}" if variable else f'{{{{media url="{url}"}}}}'
