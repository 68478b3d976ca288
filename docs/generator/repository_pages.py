"""Pages that lie elsewhere in the repository, with their links changed."""

import json
import posixpath
import re
from pathlib import Path

from markdown import SOURCE_NOTE

IMAGE = re.compile(r"(!\[[^\]]*\]\()docs/")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def pages(root: Path) -> dict[str, str]:
    copies = json.loads((root / "docs" / "generator" / "copies.json").read_text(encoding="utf-8"))
    return {
        target: SOURCE_NOTE
        + changed_links((root / source).read_text(encoding="utf-8"), source, copies)
        for source, target in copies.items()
        if target.startswith("reference/")
    }


def changed_links(text: str, source: str, copies: dict[str, str]) -> str:
    """The page, as it is read in docs/reference: links to sources become their names."""

    def changed(match: re.Match[str]) -> str:
        label, link = match.groups()
        if "://" in link or link.startswith("#"):
            return match[0]
        path, _, anchor = link.partition("#")
        target = _in_docs(
            posixpath.normpath(posixpath.join(posixpath.dirname(source), path)), copies
        )
        if target is None:
            return label
        return f"[{label}](../{target}{'#' + anchor if anchor else ''})"

    return IMAGE.sub(r"\1../", LINK.sub(changed, text))


def _in_docs(path: str, copies: dict[str, str]) -> str | None:
    if path in copies:
        return copies[path]
    if path == "docs/decisions":
        return "decisions/index.md"
    is_page = path.startswith("docs/") and path.endswith(".md")
    return path.removeprefix("docs/") if is_page else None
