"""The reference of the Node SDK: its exported declarations with their comments."""

import re
from pathlib import Path

from markdown import SOURCE_NOTE, fenced

FILES = ("client", "prompts-interface", "prompts", "chat", "listeners", "templates", "errors")
DECLARATION = re.compile(
    r"^((?:/\*\*(?:(?!\*/).)*\*/\n)?)export (?:abstract )?(?:interface|class|type|function) (\w+)",
    re.DOTALL | re.MULTILINE,
)
EXPORTED = re.compile(r"\b(?:type )?(\w+)(?=,|\s*\})")


def page(root: Path) -> str:
    folder = root / "sdk" / "node" / "src"
    index = (folder / "index.ts").read_text(encoding="utf-8")
    exported = set(EXPORTED.findall(index))
    return (
        f"{SOURCE_NOTE}# Node SDK: API\n\nThe [guide](../reference/node.md) explains how to use "
        "it.\n\n" + "".join(_file(folder / f"{name}.ts", exported) for name in FILES)
    )


def _file(path: Path, exported: set[str]) -> str:
    return "".join(
        f"## {name}\n\n{_comment(comment)}{fenced('ts', outline(body))}"
        for comment, body, name in declarations(path.read_text(encoding="utf-8"))
        if name in exported
    )


def declarations(source: str) -> list[tuple[str, str, str]]:
    """Comment, text and name of each exported declaration."""
    return [
        (match[1], source[match.start() + len(match[1]) : _end(source, match.end())], match[2])
        for match in DECLARATION.finditer(source)
    ]


def _end(source: str, start: int) -> int:
    """Where a declaration ends: at the first line that closes it, without indentation."""
    line_end = source.find("\n", start)
    if source[start:line_end].rstrip().endswith(";"):
        return line_end
    match = re.compile(r"^\S.*$", re.MULTILINE).search(source, line_end + 1)
    return match.end() if match else len(source)


def outline(declaration: str) -> str:
    """A class without its private parts and the bodies of its methods."""
    if not re.match(r"export (?:abstract )?class|export function", declaration):
        return declaration
    lines: list[str] = []
    comment: list[str] = []
    inside = False
    for line in declaration.splitlines():
        if inside:
            inside = not re.match(r"^(?:  )?\}$", line)
        elif re.match(r"^  (?:/\*\*| \*)", line):
            comment.append(line)
        elif re.match(r"^  (?:readonly )?(?:#|private |protected )", line):
            comment, inside = [], line.endswith("{")
        elif line.strip() or lines:
            body = re.match(r"^(  \S.*|export function.*) \{$", line)
            inside = body is not None
            lines += [*comment, f"{body[1]};" if body else line]
            comment = []
    return re.sub(r"\n{2,}", "\n", "\n".join(lines))


def _comment(comment: str) -> str:
    lines = [re.sub(r"^\s*/?\*+/?\s?|\s*\*/$", "", line) for line in comment.splitlines()]
    text = "\n".join(lines).strip().replace("<", "&lt;")
    return f"{text}\n\n" if text else ""
