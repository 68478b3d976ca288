"""The page `/docs`: Swagger UI with all files served from here, so that it works without
internet."""

from functools import cache
from importlib.resources import files

# The page has no inline script or style; images in Swagger UI's style sheet are data: addresses.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PromptOps API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
"""

# `validatorUrl: null`: the document is not sent to a validator on the internet.
START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayOperationId: true,
  showExtensions: true,
  filter: true,
  validatorUrl: null,
});
"""

MEDIA_TYPES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}


@cache
def asset(name: str) -> bytes:
    """Return the content of an asset listed in MEDIA_TYPES."""
    if name == "start.js":
        return START.encode()
    return (files("fastapi_offline") / "static" / name).read_bytes()
