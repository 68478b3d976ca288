"""Checks the built site, which DOCS_BASE serves below a path: every link, anchor and image leads somewhere. `npm run build` finds only
pages that are missing."""

import os
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

SITE = Path(__file__).parents[1] / ".vitepress" / "dist"
ORIGIN = "http://site"


class Page(HTMLParser):
    """The ids of a page, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        link = values.get("href" if tag == "a" else "src", "")
        if link and tag in {"a", "img"}:
            self.links.add(link)


def broken(site: Path, base: str = "/") -> list[str]:
    """Each link that leads nowhere, after its page."""
    pages = {
        _address(path, site): Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    return [
        f"{address}: {link}"
        for address, page in sorted(pages.items())
        for link in sorted(page.links)
        if not _leads_somewhere(urljoin(ORIGIN + address, link), site, base, pages)
    ]


def _address(path: Path, site: Path) -> str:
    return "/" + path.relative_to(site).as_posix().removesuffix(".html").removesuffix("index")


def _leads_somewhere(link: str, site: Path, base: str, pages: dict[str, Page]) -> bool:
    parts = urlsplit(link)
    if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
        return True
    path = "/" + unquote(parts.path).removeprefix(base).lstrip("/")
    page = pages.get(path)
    if page is None:
        return (site / path.lstrip("/")).is_file()
    return not parts.fragment or unquote(parts.fragment) in page.ids


def main() -> int:
    links = broken(SITE, os.environ.get("DOCS_BASE", "/"))
    print(
        "\n".join(links) or f"every link of {len(list(SITE.rglob('*.html')))} pages leads somewhere"
    )
    return 1 if links else 0


if __name__ == "__main__":
    sys.exit(main())
