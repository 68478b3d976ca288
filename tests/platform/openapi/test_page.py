"""The page `/docs` as a browser without internet gets it."""

import re
from urllib.parse import urljoin, urlsplit

from harness.platform import RunningPlatform


async def test_the_page_and_all_that_it_loads_come_from_here(platform: RunningPlatform) -> None:
    async with platform.client(None) as browser:
        page = await browser.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        files = [url for url in loaded if not url.startswith("data:")]
        assert len(files) == 3
        for name in files:
            address = urljoin(str(page.url), name)
            assert urlsplit(address).netloc == page.url.netloc.decode()
            asset = await browser.get(address)
            assert asset.status_code == 200, name
            assert asset.headers["x-content-type-options"] == "nosniff"
            kind = "text/css" if name.endswith(".css") else "text/javascript"
            assert asset.headers["content-type"].startswith(kind)
            assert asset.content
        start = await browser.get(urljoin(str(page.url), files[-1]))
        document = re.search(r'url: "([^"]+)"', start.text)
        assert document
        shown = await browser.get(urljoin(str(page.url), document[1]))
        assert shown.json()["info"]["title"] == "PromptOps"


async def test_the_pages_policy_fits_what_it_holds(platform: RunningPlatform) -> None:
    page = await platform.http.get("/docs")
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "http" not in page.headers["content-security-policy"]
    # No inline script or style, which the policy forbids.
    assert re.findall(r"<script(?![^>]*src=)|<style|\bon\w+=", page.text) == []
    assert "://" not in page.text


async def test_no_other_file_is_served(platform: RunningPlatform) -> None:
    for name in ("redoc.standalone.js", "..%2Fcore.py", "%2e%2e/core.py", "nothing"):
        answer = await platform.http.get(f"/docs/assets/{name}")
        assert answer.status_code == 404, name
        assert answer.json()["error"]
