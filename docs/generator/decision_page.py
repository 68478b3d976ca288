"""The list of decision records."""

from pathlib import Path

from markdown import SOURCE_NOTE, table


def page(root: Path) -> str:
    rows = [
        (path.name[:4], f"[{_title(path)}]({path.name})")
        for path in sorted((root / "docs" / "decisions").glob("[0-9]*.md"))
    ]
    return (
        f"{SOURCE_NOTE}# Decision records\n\nOne page for each decision that is hard to undo: "
        "context, decision, consequences, what was rejected.\n\n" + table(("", ""), rows)
    )


def _title(path: Path) -> str:
    heading = path.read_text(encoding="utf-8").partition("\n")[0]
    return heading.lstrip("# 0123456789.")
