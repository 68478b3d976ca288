"""Reads Langfuse over its public API: https://api.reference.langfuse.com (GET
/api/public/v2/prompts)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from promptops_flows.templates.language import variables_in
from promptops_platform.as_code.model_names import parse as parse_config
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.yaml_text import FileError
from promptops_platform.imports.contents import (
    ImportedContents,
    ImportedPrompt,
    ImportedVersion,
    SourceError,
    key_of,
)

PAGE = 100
SECONDS = 30.0
ENVIRONMENTS: Mapping[str, str] = {"production": "prod", "latest": "dev"}
# Langfuse stores the name of the model among the parameters.
MODEL = "model"
TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class Langfuse:
    """`environments` maps labels to environments; other labels keep their names."""

    def __init__(
        self, url: str, public_key: str, secret_key: str, environments: Mapping[str, str]
    ) -> None:
        self._url = url.rstrip("/")
        self._environments = {**ENVIRONMENTS, **environments}
        self._http = httpx.Client(
            base_url=self._url, auth=(public_key, secret_key), timeout=SECONDS
        )

    def read(self) -> ImportedContents:
        """Return all prompts of the project, with all versions. Raises SourceError."""
        contents = ImportedContents()
        try:
            for meta in self._list():
                self._read_prompt(meta, contents)
        finally:
            self._http.close()
        return contents

    def _read_prompt(self, meta: dict[str, Any], contents: ImportedContents) -> None:
        name = meta["name"]
        key = key_of(name, contents.remarks)
        rows = [self._version(name, number) for number in sorted(meta["versions"])]
        versions = [ImportedVersion(f"v{row['version']}", _content(row)) for row in rows]
        for row in rows:
            contents.remarks += _remarks(name, row)
        for version, row in zip(versions, rows, strict=True):
            for label in row["labels"]:
                env = self._environments.get(label, label)
                identity = Identity("prompt", key, env)
                contents.prompts.append(
                    ImportedPrompt(identity, version.content, versions, version.label)
                )

    def _list(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self._ask("/api/public/v2/prompts", page=page, limit=PAGE)
            rows += answer["data"]
            if page >= answer["meta"]["totalPages"]:
                return rows
            page += 1

    def _version(self, name: str, number: int) -> dict[str, Any]:
        # Without `resolve=false` it inserts referenced prompts, which PromptOps doesn't support.
        return self._ask(f"/api/public/v2/prompts/{quote(name, safe='')}", version=number)

    def _ask(self, path: str, **params: int) -> dict[str, Any]:
        try:
            answer = self._http.get(path, params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(f"{self._url} can't be reached: {error}") from error
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise SourceError(
                f"{self._url} refuses the keys; set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
            )
        if not answer.is_success:
            raise SourceError(f"{self._url} answers {answer.status_code} for {path}")
        try:
            body: dict[str, Any] = answer.json()
        except ValueError:
            raise SourceError(f"{self._url}{path} does not answer with JSON") from None
        return body


def _content(row: dict[str, Any]) -> Content:
    config = row.get("config")
    config = dict(config) if isinstance(config, dict) else {}
    model = config.pop(MODEL, "")
    # If both names of one parameter are present, they are left unchanged.
    with suppress(FileError):
        config = parse_config(config, {"format": "text"})
    body = row["prompt"]
    return Content.of(
        "prompt",
        {
            "tags": ",".join(row.get("tags", ())),
            "model": model if isinstance(model, str) else "",
            "content": body if isinstance(body, str) else "",
            "messages": [] if isinstance(body, str) else [_message(item) for item in body],
            "config": config,
        },
    )


def _message(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("type") == "placeholder":
        return {"type": "placeholder", "name": item["name"]}
    return {"role": item["role"], "content": item["content"]}


def _remarks(name: str, row: dict[str, Any]) -> list[str]:
    """Return remarks about template features that PromptOps lacks; they stay in the text
    unchanged."""
    body = row["prompt"]
    texts = [body] if isinstance(body, str) else [str(item.get("content", "")) for item in body]
    tags = {tag for text in texts for tag in TAG.findall(text)}
    odd = sorted(tag.strip() for tag in tags if not variables_in("{{" + tag + "}}"))
    return [
        f"{name}, version {row['version']}: {{{{{tag}}}}} is not a variable in PromptOps"
        for tag in odd
    ]
