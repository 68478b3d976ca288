"""The reference of the Java SDK: its public types and methods with their comments."""

import re
from pathlib import Path

from markdown import SOURCE_NOTE, fenced

TYPES = ("PromptOpsClient", "Prompts", "PromptOptions", "Prompt", "Message", "Update", "Event")
TESTING = ("FakePrompts",)
MEMBER = re.compile(
    r"((?:^ +/\*\*(?:(?!\*/).)*\*/\n)?)((?:^ +@\w+.*\n)*)"
    r"^( {4})((?:public|default|static|abstract|[A-Z]\w*(?:<[^;{]*>)?|void|boolean|int|long)[^;{=]*\([^;{]*\)[^;{]*)[;{]",
    re.DOTALL | re.MULTILINE,
)
TYPE = re.compile(
    r"((?:^/\*\*(?:(?!\*/).)*\*/\n)?)^public (?:final |abstract |sealed )*"
    r"(?:class|interface|record|enum) [^{]*",
    re.DOTALL | re.MULTILINE,
)


def page(root: Path) -> str:
    folder = root / "sdk" / "java" / "src" / "main" / "java" / "io" / "promptops"
    errors = sorted(path.stem for path in folder.glob("*Exception.java"))
    return (
        f"{SOURCE_NOTE}# Java SDK: API\n\nThe [guide](../reference/java.md) explains how to use it. "
        "`mvn javadoc:javadoc` in `sdk/java` writes the complete Javadoc.\n\n"
        + "".join(_type(folder / f"{name}.java") for name in (*TYPES, *TESTING))
        + "## Exceptions\n\n"
        + "".join(_exception(folder / f"{name}.java") for name in errors)
    )


def _type(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    match = TYPE.search(source)
    if match is None:
        return ""
    declaration = source[match.start() + len(match[1]) : match.end()]
    members = "".join(
        fenced("java", _plain(signature)) + _comment(comment)
        for comment, _, signature in public_members(source[match.end() :])
    )
    return f"## {path.stem}\n\n{_comment(match[1])}{fenced('java', _plain(declaration))}{members}"


def public_members(body: str) -> list[tuple[str, str, str]]:
    """Comment, indentation and signature of each documented member."""
    return [
        (comment, indent, signature)
        for comment, _, indent, signature in MEMBER.findall(body)
        if comment
    ]


def _exception(path: Path) -> str:
    match = TYPE.search(path.read_text(encoding="utf-8"))
    if match is None:
        return ""
    return f"- `{path.stem}`: {' '.join(_comment(match[1]).split())}\n"


def _plain(signature: str) -> str:
    return " ".join(signature.split())


def _comment(comment: str) -> str:
    """Javadoc as paragraphs; an example becomes a block of code."""
    lines = [re.sub(r"^\s*/?\*+/?\s?|\s*\*/$", "", line) for line in comment.splitlines()]
    text = "\n".join(lines).strip()
    text = re.sub(r"<pre>\{@code\n(.*?)\}</pre>", r"\n```java\n\1```\n", text, flags=re.DOTALL)
    text = re.sub(r"\{@(?:code|link) ([^}]*)\}", r"`\1`", text)
    text = re.sub(r"^@param (\w+) ", r"- `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^@throws (\w+) ", r"- throws `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^@return ", "- returns ", text, flags=re.MULTILINE)
    escaped = re.sub(r"<(?!/?p>)", "&lt;", text.replace("<p>", ""))
    return f"{escaped}\n\n" if escaped else ""
