"""Writes the generated pages of the site: `python docs/generator [FOLDER]`, by default into docs."""

import shutil
import sys
from pathlib import Path

import cli_page
import decision_page
import event_page
import java_page
import node_page
import python_page
import repository_pages
import rest_pages
import settings_page
import step_page

ROOT = Path(__file__).parents[2]


def pages(root: Path) -> dict[str, str]:
    """Every generated page, by its path in docs."""
    return {
        "reference/cli.md": cli_page.page(),
        "reference/settings.md": settings_page.page(),
        "reference/events.md": event_page.page(),
        "reference/steps.md": step_page.page(root),
        "reference/sdk-python.md": python_page.page(root),
        "reference/sdk-node.md": node_page.page(root),
        "reference/sdk-java.md": java_page.page(root),
        "decisions/index.md": decision_page.page(root),
        **rest_pages.pages(root),
        **repository_pages.pages(root),
    }


def write(root: Path, folder: Path) -> None:
    """Replace the generated pages, and the files that pages refer to by their address."""
    shutil.rmtree(folder / "reference", ignore_errors=True)
    for path, text in pages(root).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    public = folder / "public"
    public.mkdir(exist_ok=True)
    shutil.copy(root / "docs" / "openapi.json", public)
    for name in ("images", "schemas", "workers"):
        shutil.copytree(root / "docs" / name, public / name, dirs_exist_ok=True)


if __name__ == "__main__":
    write(ROOT, Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
