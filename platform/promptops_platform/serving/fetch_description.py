"""The fetch in the API description. It is not a FastAPI route, so it is described here."""

from typing import Any

from promptops_platform.access.permissions import Permission
from promptops_platform.serving.query import LARGEST_REVISION, LONGEST_SUBJECT

_ETAG = {
    "description": "Identifies this response; send it back as If-None-Match.",
    "required": True,
    "schema": {"type": "string"},
}
_CACHE_CONTROL = {"required": True, "schema": {"type": "string"}}

_REVISION = {
    "description": "With `full=true`: the response is of this revision or a later one.",
    "schema": {"type": "integer"},
}
_EPOCH = {
    "description": "With `full=true`: the epoch of that revision.",
    "schema": {"type": "string"},
}
_HEADERS = {
    "ETag": _ETAG,
    "Cache-Control": _CACHE_CONTROL,
    "X-PromptOps-Revision": _REVISION,
    "X-PromptOps-Epoch": _EPOCH,
}

_FETCHED_PROMPT: dict[str, Any] = {
    "type": "object",
    "title": "FetchedPrompt",
    "description": (
        "What is served: the published version, or the draft before the first publish, or while a "
        "rollout is running the version of a variant."
    ),
    "properties": {
        "key": {"type": "string"},
        "version": {"type": "string"},
        "env": {"type": "string"},
        "model": {"type": "string"},
        "content": {"type": "string"},
        "variant": {
            "type": "string",
            "description": "The name of the variant while a rollout is running.",
        },
        "kind": {
            "type": "string",
            "enum": ["text", "chat"],
            "description": "Only for a chat or with `full=true`, like the fields after it.",
        },
        "messages": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Message"},
            "description": "The messages of a chat prompt; `content` is their joined text.",
        },
        "config": {
            "type": "object",
            "additionalProperties": True,
            "description": "Parameters of the model and other settings; absent if there are none.",
        },
        "variables": {
            "type": "array",
            "items": {"type": "string"},
            "description": "With `full=true`.",
        },
        "rollout": {
            "anyOf": [{"$ref": "#/components/schemas/WholeRollout"}, {"type": "null"}],
            "description": "With `full=true`: all variants, for a client that assigns them itself.",
        },
        "explanation": {
            "type": "object",
            "description": "With `explain=true`.",
            "properties": {
                "reason": {"type": "string", "enum": ["rollout", "published", "draft"]},
                "variant": {"type": "string"},
                "bucket": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 9999,
                    "description": "The position in the variants' ranges, in basis points.",
                },
                "subject": {
                    "type": ["string", "null"],
                    "description": "Null if the bucket was drawn at random.",
                },
                "salt": {"type": "string"},
            },
            "required": ["reason"],
        },
    },
    "required": ["key", "version", "env", "model", "content"],
    "examples": [
        {
            "key": "greeting",
            "version": "v2",
            "env": "prod",
            "model": "gpt-4o-mini",
            "content": "Good morning, {{who}}!",
            "variant": "B",
        },
        {
            "key": "support",
            "version": "v1",
            "env": "prod",
            "model": "gpt-4o-mini",
            "content": "You help customers.\n\n{{question}}",
            "kind": "chat",
            "messages": [
                {"role": "system", "content": "You help customers."},
                {"role": "user", "content": "{{question}}"},
            ],
            "config": {"temperature": 0.2},
        },
    ],
}

_OPERATION: dict[str, Any] = {
    "tags": ["realtime"],
    "operationId": "realtime_fetch",
    "summary": "Fetch Prompt",
    "description": (
        "Fetch what is served for a key, from memory. Fetch again with `If-None-Match` whenever "
        "the WebSocket sends the key. `workspace` defaults to that of the API key, else `default`, "
        "else the oldest one that has the key in this environment."
    ),
    "x-permission": Permission.PROMPTS_FETCH.value,
    "parameters": [
        {
            "name": "key",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "examples": ["greeting"]},
        },
        {
            "name": "env",
            "in": "query",
            "description": "The environment.",
            "schema": {"type": "string", "default": "prod"},
        },
        {
            "name": "workspace",
            "in": "query",
            "description": "A workspace's id or slug.",
            "schema": {"type": "string"},
        },
        {
            "name": "subject",
            "in": "query",
            "description": (
                "Who the prompt is for, such as a user's id: a rollout always gives a subject the "
                "same variant. Without it, each fetch draws one at random."
            ),
            "schema": {"type": "string", "maxLength": LONGEST_SUBJECT},
        },
        {
            "name": "explain",
            "in": "query",
            "description": "Whether to return the reason for this version.",
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "full",
            "in": "query",
            "description": (
                "Whether to return the prompt with its whole rollout instead of one variant; can't "
                "be combined with `subject` and `explain`."
            ),
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "min_revision",
            "in": "query",
            "description": (
                "Wait, at most 2 seconds, until this revision or a later one can be returned."
            ),
            "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST_REVISION, "default": 0},
        },
        {
            "name": "epoch",
            "in": "query",
            "description": "The epoch of `min_revision`, which is ignored in another one.",
            "schema": {"type": "string"},
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of the response that you have.",
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        "200": {
            "description": "The prompt.",
            "headers": _HEADERS,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/FetchedPrompt"}}
            },
        },
        "304": {
            "description": "The prompt has not changed since the caller fetched it.",
            "headers": _HEADERS,
        },
    },
}

FETCH_DESCRIPTION: dict[str, Any] = {
    "paths": {"/api/sdk/prompts/{key}": {"get": _OPERATION}},
    "components": {"schemas": {"FetchedPrompt": _FETCHED_PROMPT}},
}
