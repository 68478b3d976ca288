"""The API's description, for people and for programs; both are served without a token."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from promptops_platform.access.guard import PUBLIC
from promptops_platform.errors import NotFound
from promptops_platform.http.error_answers import quoted
from promptops_platform.http.services import services_of
from promptops_platform.openapi.document import ApiDocument
from promptops_platform.openapi.page import CONTENT_SECURITY_POLICY, MEDIA_TYPES, PAGE, asset

router = APIRouter(tags=["openapi"], dependencies=[PUBLIC], include_in_schema=False)

PAGE_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
}
ASSET_HEADERS = {"cache-control": "public, max-age=3600"}


# Not a coroutine: the first call creates the document, which takes noticeably long.
@router.get("/openapi.json")
def openapi_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    return JSONResponse(services_of(request).get(ApiDocument).made())


@router.get("/docs")
async def docs() -> Response:
    """Return the page that shows the document and can call the API."""
    return HTMLResponse(PAGE, headers=PAGE_HEADERS)


@router.get("/docs/assets/{name}")
def docs_asset(name: str) -> Response:
    """Return a file of that page."""
    if name not in MEDIA_TYPES:
        raise NotFound(f"there is no asset {quoted(name)}; the page /docs names them")
    return Response(asset(name), media_type=MEDIA_TYPES[name], headers=ASSET_HEADERS)
