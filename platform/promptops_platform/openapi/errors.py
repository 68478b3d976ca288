"""The errors that an operation may return, derived by rules, and their form."""

from dataclasses import dataclass, field
from typing import Any

from promptops_platform.errors import (
    BadRequest,
    BodyTooLarge,
    Conflict,
    Forbidden,
    HeadTooLarge,
    NotFound,
    RequestTimeout,
    StepFailed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UpgradeRequired,
)
from promptops_platform.http.error_answers import fault_body

Json = dict[str, Any]

PERMISSION = "x-permission"
WRITING = frozenset({"post", "put", "patch", "delete"})
REQUEST_ID = "5f2b8c1e9d3a4f60b7c8d9e0f1a2b3c4"

SCHEMA: Json = {
    "type": "object",
    "title": "Error",
    "description": "The form of every error. Other fields may be present.",
    "properties": {
        "error": {
            "type": "string",
            "description": "A sentence for people: what was wrong and how to fix it.",
        },
        "code": {"type": "string", "description": "Identifies the error for programs."},
    },
    "required": ["error", "code"],
    "additionalProperties": True,
    "examples": [NotFound("prompt 'greeting' not found").body()],
}


@dataclass(frozen=True)
class ErrorAnswer:
    """An error's entry in the document's responses; `headers` are always sent."""

    name: str
    description: str
    example: Json
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Json:
        """Return the response object."""
        response: Json = {
            "description": self.description,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "example": self.example,
                }
            },
        }
        if self.headers:
            response["headers"] = {
                name: {"description": text, "required": True, "schema": {"type": "string"}}
                for name, text in self.headers.items()
            }
        return response


RETRY_AFTER = {"Retry-After": "Seconds to wait before the next try."}
ANSWERS = {
    400: ErrorAnswer(
        "BadRequest",
        "A field or value is invalid; the message names both.",
        BadRequest("key: is required; give it a value").body(),
    ),
    401: ErrorAnswer(
        "Unauthorized",
        "The token is missing or invalid.",
        Unauthorized("no token; send Authorization: Bearer <token>").body(),
        {"WWW-Authenticate": "The scheme, `Bearer`."},
    ),
    403: ErrorAnswer(
        "Forbidden",
        "The caller's role is too low.",
        Forbidden("forbidden: requires editor role").body(),
    ),
    404: ErrorAnswer(
        "NotFound",
        "The resource does not exist, or the caller may not see it.",
        NotFound("prompt '0f3c5d7e' not found").body(),
    ),
    408: ErrorAnswer(
        "RequestTimeout",
        "The request did not arrive in time.",
        RequestTimeout("the request's body took longer than 60 seconds; send it at once").body(),
    ),
    409: ErrorAnswer(
        "Conflict",
        "The change conflicts with the stored state.",
        Conflict("key 'greeting' is taken in environment 'prod'; choose another").body(),
    ),
    413: ErrorAnswer(
        "BodyTooLarge",
        "The request's body is too long.",
        BodyTooLarge("the request body is larger than 4194304 bytes; send less").body(),
    ),
    426: ErrorAnswer(
        "UpgradeRequired",
        "The path is a WebSocket, but the request is not a WebSocket handshake.",
        UpgradeRequired("/ws is a WebSocket; send `Upgrade: websocket`").body(),
    ),
    429: ErrorAnswer(
        "TooManyRequests",
        "Too many tries; wait.",
        TooManyRequests("too many tries; wait 30 seconds", retry_after=30).body(),
        RETRY_AFTER,
    ),
    431: ErrorAnswer(
        "HeadTooLarge",
        "The request's line and headers are too long.",
        HeadTooLarge("the request's line and headers are larger than 65536 bytes").body(),
    ),
    500: ErrorAnswer("Fault", "An internal error of the server.", fault_body(REQUEST_ID)),
    502: ErrorAnswer(
        "StepFailed",
        "A model provider or a step failed; the body also contains the results before the failure.",
        StepFailed("step 2 (call): the provider refused the request").body(),
    ),
    503: ErrorAnswer(
        "Unavailable",
        "A part that the request needs is unavailable.",
        Unavailable("the database can't be reached; try again").body(),
        RETRY_AFTER,
    ),
}


def errors_by_rule(method: str, operation: Json, document: Json) -> set[int]:
    """Return the statuses of the errors that follow from the operation's shape."""
    statuses = {500, 503}
    guarded = PERMISSION in operation
    takes_input = bool(operation.get("parameters")) or "requestBody" in operation
    if takes_input:
        statuses.add(400)
    if guarded:
        statuses |= {401, 403, 429}
    fields = _body_fields(operation, document)
    if _names_a_resource(operation, fields):
        statuses.add(404)
    if any(name.endswith("password") for name in fields):
        # Hashing takes long, so only a few callers may wait for it.
        statuses.add(429)
    if method in WRITING:
        statuses.add(413)
        if guarded and takes_input:
            statuses.add(409)
    return statuses


def _names_a_resource(operation: Json, fields: set[str]) -> bool:
    """Whether the caller names a resource, which then may not exist."""
    parameters = operation.get("parameters", [])
    names = {parameter["name"] for parameter in parameters} | fields
    return any(parameter["in"] == "path" for parameter in parameters) or any(
        name in ("id", "workspace") or name.endswith("_id") for name in names
    )


def _body_fields(operation: Json, document: Json) -> set[str]:
    """Return the names of the request body's fields."""
    names: set[str] = set()
    for content in operation.get("requestBody", {}).get("content", {}).values():
        names |= _fields(content["schema"], document)
    return names


def _fields(schema: Json, document: Json) -> set[str]:
    """Return the names of a schema's fields, through references and alternatives."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _fields(document["components"]["schemas"][name], document)
    names = set(schema.get("properties", {}))
    for alternative in schema.get("anyOf", []):
        names |= _fields(alternative, document)
    return names
