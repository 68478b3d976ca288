"""The fetch in the API description. It is not a FastAPI route, so it is described here."""

from typing import Any

from promptops_platform.access.permissions import Permission
from promptops_platform.serving.query import LARGEST_REVISION, LONGEST_SUBJECT

_ETAG = {
    "description": "Names this answer; send it back as If-None-Match.",
    "required": True,
    "schema": {"type": "string"},
}
_CACHE_CONTROL = {"required": True, "schema": {"type": "string"}}

_REVISION = {
    "description": "With `full=true`: the revision that the answer is of, or a later one.",
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
        "What is served: the published version, before the first publish the draft, and while a "
        "rollout is on the version of a variant."
    ),
    "properties": {
        "key": {"type": "string"},
        "version": {"type": "string"},
        "env": {"type": "string"},
        "model": {"type": "string"},
        "content": {"type": "string"},
        "variant": {"type": "string", "description": "Its name, while a rollout is on."},
        "kind": {
            "type": "string",
            "enum": ["text", "chat"],
            "description": "Of a chat, and with `full=true`; so are the fields below.",
        },
        "messages": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Message"},
            "description": "Of a chat prompt; `content` is their texts.",
        },
        "config": {
            "type": "object",
            "additionalProperties": True,
            "description": "The model's parameters and the like, where there are any.",
        },
        "variables": {
            "type": "array",
            "items": {"type": "string"},
            "description": "With `full=true`.",
        },
        "rollout": {
            "anyOf": [{"$ref": "#/components/schemas/WholeRollout"}, {"type": "null"}],
            "description": "With `full=true`: all variants, for a client that assigns by itself.",
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
                    "description": "The place among the variants' ranges, in basis points.",
                },
                "subject": {
                    "type": ["string", "null"],
                    "description": "Null where the bucket was drawn.",
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
    "summary": "Fetch a prompt",
    "description": (
        "What a program uses, answered from memory. Fetch again with `If-None-Match` whenever "
        "the WebSocket names the key. Without `workspace` it is that of the API key, else "
        "`default`, else the oldest that holds key and environment."
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
            "description": "Id or slug.",
            "schema": {"type": "string"},
        },
        {
            "name": "subject",
            "in": "query",
            "description": (
                "Whom a rollout assigns a variant to, the same each time: a user's id, say. "
                "Without one each fetch draws."
            ),
            "schema": {"type": "string", "maxLength": LONGEST_SUBJECT},
        },
        {
            "name": "explain",
            "in": "query",
            "description": "Whether the answer says why it is this one.",
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "full",
            "in": "query",
            "description": (
                "Whether the answer is the whole prompt with its rollout, rather than one variant; "
                "without `subject` and `explain`."
            ),
            "schema": {"type": "boolean", "default": False},
        },
        {
            "name": "min_revision",
            "in": "query",
            "description": (
                "The answer is of this revision or a later one: it is waited for, at most 2 "
                "seconds."
            ),
            "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST_REVISION, "default": 0},
        },
        {
            "name": "epoch",
            "in": "query",
            "description": "That of `min_revision`, which says nothing in another one.",
            "schema": {"type": "string"},
        },
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of the answer that the caller holds.",
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
            "description": "It is still what the caller holds.",
            "headers": _HEADERS,
        },
    },
}

FETCH_DESCRIPTION: dict[str, Any] = {
    "paths": {"/api/sdk/prompts/{key}": {"get": _OPERATION}},
    "components": {"schemas": {"FetchedPrompt": _FETCHED_PROMPT}},
}
