"""Reads prompts of OpenAI: prompt objects as JSON, and calls of its API in source code.

OpenAI's API doesn't return the texts of prompt objects, so a person pastes them: the object of a
prompt, a list of them, or the request that the dashboard shows as code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.imports import openai_code
from promptops_platform.imports.contents import (
    ImportedContents,
    ImportedPrompt,
    ImportedVersion,
    SourceError,
    key_of,
)

LISTS = ("data", "prompts")
# OpenAI's name of a parameter, and that of our configs.
PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "reasoning": "reasoning",
    "response_format": "response_format",
    "stop": "stop",
    "seed": "seed",
}
# File types that people try but that aren't read: guessing at the texts of a program would be
# worse.
UNREADABLE = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
WITHOUT_COUNTERPART = ("tools", "tool_choice")


def read_file(path: Path, env: str) -> ImportedContents:
    """Return the prompts of a JSON or Python file, for that environment. Raises SourceError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"can't read {path}: it is not UTF-8") from error
    except OSError as error:
        raise SourceError(f"can't read {path}: {error.strerror}") from error
    contents = ImportedContents()
    if path.suffix in UNREADABLE:
        raise SourceError(
            f"{path} is not read: of source code, only Python is. Copy its prompts into a JSON "
            "file: a list of objects with name, and instructions, input or messages"
        )
    if path.suffix == ".json" or text.lstrip()[:1] in ("{", "["):
        objects = list(_objects(_json(path, text)))
    else:
        objects = openai_code.read(path, text, contents.remarks)
    versions: dict[str, list[tuple[dict[str, Any], Content]]] = {}
    for number, item in enumerate(objects, 1):
        name = str(item.get("name") or item.get("id") or f"{path.stem}-{number}")
        content = _content(name, item, contents.remarks)
        if content is not None:
            versions.setdefault(key_of(name, contents.remarks), []).append((item, content))
    for key, items in versions.items():
        contents.prompts.append(_prompt(Identity("prompt", key, env), items))
    if not contents.prompts and not contents.remarks:
        raise SourceError(
            f"{path} has no prompt; give JSON with instructions, input or messages, or a Python "
            "file that calls responses.create or chat.completions.create"
        )
    return contents


def _prompt(identity: Identity, items: list[tuple[dict[str, Any], Content]]) -> ImportedPrompt:
    """Items with a version are published under it; an item without one is a draft."""
    ordered = sorted(items, key=lambda item: _number(item[0]))
    versions = [
        ImportedVersion(f"v{item['version']}", content)
        for item, content in ordered
        if item.get("version")
    ]
    drafts = [content for item, content in ordered if not item.get("version")]
    served = versions[-1].label if versions else None
    return ImportedPrompt(identity, (drafts or [ordered[-1][1]])[-1], versions, served)


def _number(item: dict[str, Any]) -> tuple[int, str]:
    version = str(item.get("version") or "")
    return (int(version) if version.isdigit() else 0, version)


def _json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceError(f"{path} is not valid JSON: {error}") from error


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        nested = [name for name in LISTS if isinstance(value.get(name), list)]
        if nested:
            yield from _objects(value[nested[0]])
        else:
            yield value


def _content(name: str, item: dict[str, Any], remarks: list[str]) -> Content | None:
    """Return None, with a remark, if there is no text."""
    if isinstance(item.get("prompt"), dict):
        reference = item["prompt"].get("id", "")
        remarks.append(
            f"{name}: the text of {reference} is kept by OpenAI; open it in the dashboard and "
            "import its JSON"
        )
        return None
    messages = [*_instructions(item), *_messages(item)]
    if not messages:
        remarks.append(f"{name}: has no instructions, input or messages")
        return None
    remarks += [
        f"{name}: {field} is left out; tools belong to agents"
        for field in WITHOUT_COUNTERPART
        if item.get(field)
    ]
    config = {
        ours: item[theirs] for theirs, ours in PARAMETERS.items() if item.get(theirs) is not None
    }
    form = _response_format(item)
    is_text = len(messages) == 1 and isinstance(item.get("instructions"), str)
    return Content.of(
        "prompt",
        {
            "model": str(item.get("model") or ""),
            "content": messages[0]["content"] if is_text else "",
            "messages": [] if is_text else messages,
            "config": config | ({"response_format": form} if form else {}),
        },
    )


def _instructions(item: dict[str, Any]) -> list[dict[str, Any]]:
    value = item.get("instructions")
    if isinstance(value, str) and value:
        return [{"role": "system", "content": value}]
    return [_message(message) for message in value] if isinstance(value, list) else []


def _messages(item: dict[str, Any]) -> list[dict[str, Any]]:
    for field in ("messages", "input"):
        value = item.get(field)
        if isinstance(value, str) and value:
            return [{"role": "user", "content": value}]
        if isinstance(value, list):
            return [_message(message) for message in value if "role" in message]
    return []


def _message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content", "")
    if isinstance(content, list):
        parts = [_part(part) for part in content]
        is_text = all(part["type"] == "text" for part in parts)
        content = "\n".join(part["text"] for part in parts) if is_text else parts
    return {"role": message["role"], "content": content}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url", "")}}
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    return part


def _response_format(item: dict[str, Any]) -> dict[str, Any] | None:
    """The Responses API has it as `text.format`, flat."""
    text = item.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    if not isinstance(form, dict) or form.get("type") in (None, "text"):
        return None
    if form["type"] == "json_schema":
        schema = {name: value for name, value in form.items() if name != "type"}
        return {"type": "json_schema", "json_schema": schema}
    return {"type": form["type"]}
