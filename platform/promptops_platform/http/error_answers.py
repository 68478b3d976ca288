"""Converts errors to responses: a status and a body with the string `error`."""

from collections.abc import Sequence
from reprlib import Repr
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from promptops_platform.errors import BadRequest, PlatformError
from promptops_platform.field_types import INVISIBLE
from promptops_platform.http.allowed_methods import allowed_methods

LONGEST_QUOTE = 80
# Limits of the cost of quoting a large or deep value.
_QUOTES = Repr()
_QUOTES.maxlevel, _QUOTES.maxdict, _QUOTES.maxlist = 4, 20, 20
_QUOTES.maxstring = _QUOTES.maxlong = _QUOTES.maxother = 3 * LONGEST_QUOTE
# The tags of a union's branches begin with this; they are not part of a field's name.
BRANCH = "\x00"
# Values of these fields are never included in a response.
SECRET_FIELDS = frozenset(
    {"password", "current_password", "new_password", "token", "api_key", "headers"}
)


def install_error_answers(app: FastAPI) -> None:
    """Register the handlers of every error that a route may raise."""

    @app.exception_handler(PlatformError)
    async def platform_error(_request: Request, error: PlatformError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(BadRequest("; ".join(sentences(error.errors()))))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return no_route(request.scope)
        if error.status_code == 405:
            return method_not_allowed(
                request.scope, allowed_methods(request.app.routes, request.scope)
            )
        sentence = _http_sentence(error)
        return JSONResponse(
            {"error": sentence, "code": f"http_{error.status_code}"},
            status_code=error.status_code,
            headers=error.headers,
        )

    @app.exception_handler(Exception)
    async def fault(request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse(fault_body(request.scope["request_id"]), status_code=500)


def fault_body(request_id: str) -> dict[str, str]:
    """Return the body of a 500; only the log contains the cause."""
    return {
        "error": "the server failed; its log has the details under this request id",
        "code": "internal",
        "request_id": request_id,
    }


def answer(error: PlatformError) -> JSONResponse:
    """Return the response for a platform error."""
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers)


def sentences(errors: Sequence[Any]) -> list[str]:
    """Return one sentence for each of pydantic's errors, naming field, value and what was
    expected."""
    return [_sentence(error) for error in errors[:5]]


def _sentence(error: dict[str, Any]) -> str:
    where = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
    where = [part for part in where if not part.startswith(BRANCH)]
    if error["type"] == "json_invalid":
        return f"the body is not valid JSON: {error['ctx']['error']} at character {where[-1]}"
    if not where:
        return "the body must be a JSON object; send one with content type application/json"
    field = ".".join(where)
    if error["type"] == "missing":
        return f"{field}: is required; give it a value"
    if error["type"] == "extra_forbidden":
        return f"{field}: is not a known field; leave it out"
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if SECRET_FIELDS & set(where):
        return f"{field}: {message}"
    return f"{field}: {message} (got {quoted(error.get('input'))})"


def quoted(value: object) -> str:
    """Quote `value` for a message, shortened; invisible characters are written as codes."""
    text = INVISIBLE.sub(lambda sign: ascii(sign[0])[1:-1], _QUOTES.repr(value))
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def no_route(scope: Scope) -> JSONResponse:
    """Return the response for an unknown path."""
    body = {"error": f"there is no route {scope['path']}", "code": "http_404"}
    return JSONResponse(body, status_code=404)


def method_not_allowed(scope: Scope, allowed: str) -> JSONResponse:
    """Return the response for a path that supports only other methods, `allowed`."""
    sentence = f"{scope['path']} does not support {scope['method']}; use {allowed}"
    body = {"error": sentence, "code": "http_405"}
    return JSONResponse(body, status_code=405, headers={"allow": allowed})


def _http_sentence(error: HTTPException) -> str:
    if error.status_code == 400:
        return "the body can't be read as JSON; send UTF-8 JSON"
    return str(error.detail)
