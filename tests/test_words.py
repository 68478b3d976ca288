"""The words of the house: names say what a thing is, and sentences are plain."""

import ast
import gc
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.source_trees import parse

ROOT = Path(__file__).parent.parent
VAGUE = {"each", "found", "wanted", "known", "named", "said", "given", "told"}
FOLDERS = ("providers", "flows", "platform", "sdk", "examples", "tests", "web")
GENERATED = {"node_modules", "dist", "build", "target", ".venv"}
NAMES = "|".join(sorted(VAGUE))
SCRIPT = re.compile(
    rf"\b(?:const|let|var|function|class)\s+({NAMES})\b"  # declared
    rf"|\b(?:const|let|var)\s*[\[{{][^\]}}=]*\b({NAMES})\s*[,\]}}=]"
    rf"|(?<![\w.])({NAMES})\s*=>"  # a parameter
    rf"|\(\s*(?:[\w:?\[\]]+,\s*)*({NAMES})\??\s*(?::[^()]*|,[^()]*)?\)\s*(?::[^=()]*)?=>"
    rf"|\bfunction\b[^(]*\([^)]*\b({NAMES})\??\s*[:,)]"
    rf'|\bv-(?:for|slot)="[^"]*?\b({NAMES})\b[^"]*?(?: in |")'
)
JAVA = re.compile(
    rf"\b(?!return\b|throw\b|new\b)[\w\]>]+\s+({NAMES})\s*(?:=|:|;|,|\)|->)|\b({NAMES})\s*->"
)
# "x is not a y" and "the client is notified", in words that nobody has to translate.
ODD = re.compile(
    r"(?<!there )\b(?:is|are) no\b(?! longer| more\b| other| such)"
    r"|\b(?:is|are|be|was) told\b|\btold apart\b|\bhears? of\b|\bpassed over\b|\bheld back\b"
    r"|\bstands? in\b|\bwhat is sent\b|\bof old\b|\banew\b|\bunder way\b|\bsigns? of life\b"
    r"|\bwhere there (?:is|are) none\b",
    re.IGNORECASE,
)
# Folders whose comments, docstrings and names are plain, too.
PLAIN_FOLDERS = (
    "flows/promptops_flows",
    "platform/promptops_platform",
    "sdk/java/src/main",
    "sdk/node/src",
    "sdk/python/promptops",
    "tests/flows",
    "tests/harness",
    "tests/sdk",
)
STILTED = re.compile(
    rf"{ODD.pattern}|\bsomebody who\b|\bhow far\b|\bas far\b|\bhas to tell\b|\bwithout a word\b"
    r"|\b(?:that|who) lives?\b|\bof before\b|\bwhat led there\b|\bthan there are\b"
    r"|\bknows? no\b|\bis (?:here|there) now\b|\bhear(?:s|ing)? (?:it|what)\b"
    r"|\bin (?:this|that) moment\b|\bjudg(?:e[sd]?|ing)\b|\bstands? (?:above|below|beside|behind)\b"
    r"|\bwhether (?:one|it) (?:is|was) on\b|\bnobody's\b|\bhow many there (?:are|were)\b"
    r"|\bfor who\b|\b(?:that|which) (?:is|are) wanted\b|\bas `\w+` does\b|\bgone already\b"
    r"|\bexists? for the caller\b",
    re.IGNORECASE,
)
# Each of its words begins like one: without that, every letter is compared with all of them.
STILTED = re.compile(rf"\b(?:{STILTED.pattern})", re.IGNORECASE)
VAGUE_WORD = re.compile(rf"(?<!\w)_*(?:{NAMES})(?!\w)")
COMMENTS = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*|<!--.*?-->", re.DOTALL)
JAVA_STRINGS = re.compile(r'"(?:[^"\\\n]|\\.)*"')


@pytest.fixture(scope="module", autouse=True)
def trees_are_no_garbage() -> Iterator[None]:
    """Trees of all sources take the garbage collector longer than they take to read."""
    gc.disable()
    yield
    parsed.cache_clear()
    gc.enable()


@cache
def files(folder: str) -> list[Path]:
    """All files of a folder, without walking through what is generated or installed there."""
    paths = []
    for parent, folders, names in os.walk(ROOT / folder):
        folders[:] = sorted({*folders} - GENERATED)
        paths += [Path(parent, name) for name in names]
    return sorted(paths)


def sources(*endings: str) -> list[Path]:
    return [path for folder in FOLDERS for path in files(folder) if path.suffix in endings]


@cache
def parsed(path: Path) -> ast.Module:
    return parse(path.read_text())


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a Python source gives to something, and its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node.lineno
            case ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno


def declared_names(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """The vague names that a script, component or Java source declares, and their lines."""
    code = COMMENTS.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    if pattern is JAVA:
        code = JAVA_STRINGS.sub('""', code)
    for match in pattern.finditer(code):
        name = next(filter(None, match.groups()))
        yield name, code.count("\n", 0, match.start()) + 1


def places(path: Path, names: Iterator[tuple[str, int]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for name, line in names
        if name.lstrip("_") in VAGUE
    ]


def test_python_names_say_what_they_are() -> None:
    paths = [path for path in sources(".py") if VAGUE_WORD.search(path.read_text())]
    assert paths
    assert not [place for path in paths for place in places(path, bound_names(parsed(path)))]


@pytest.mark.parametrize(
    ("pattern", "endings"),
    [(SCRIPT, (".ts", ".vue", ".js", ".mjs", ".cjs")), (JAVA, (".java",))],
    ids=["scripts", "java"],
)
def test_declared_names_say_what_they_are(
    pattern: re.Pattern[str], endings: tuple[str, ...]
) -> None:
    paths = sources(*endings)
    assert paths
    assert not [
        place for path in paths for place in places(path, declared_names(path.read_text(), pattern))
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def f(each): ...",
        "found = 1",
        "for _known in (): ...",
        "[1 for said in ()]",
        "with f() as told: ...",
        "self.given = 1",
        "class C:\n    named: int",
    ],
)
def test_the_lint_finds_python_names(source: str) -> None:
    assert places(ROOT / "source.py", bound_names(parse(source)))
    assert VAGUE_WORD.search(source)


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        (SCRIPT, "const found = 1"),
        (SCRIPT, "const { a, said } = b"),
        (SCRIPT, "rows.map((each) => each.id)"),
        (SCRIPT, "rows.map((row, each) => each)"),
        (SCRIPT, "each => each"),
        (SCRIPT, "function f(a: string, known?: number) {}"),
        (SCRIPT, '<li v-for="each in rows">'),
        (JAVA, "for (String each : rows) {"),
        (JAVA, "Map<String, String> found = rows();"),
        (JAVA, "rows.map(told -> 1);"),
        (JAVA, "void f(int given) {"),
    ],
)
def test_the_lint_finds_declared_names(pattern: re.Pattern[str], source: str) -> None:
    assert list(declared_names(source, pattern))
    assert not list(declared_names(f"// {source}\nit.each(rows)", pattern))


def pages() -> list[Path]:
    """Those that people wrote: neither packages of the site nor what its build generates."""
    generated = {"reference", ".vitepress"}
    paths = [path for path in files("docs") if path.suffix == ".md"]
    return [path for path in paths if not generated.intersection(path.parts)]


def prose() -> Iterator[tuple[str, str]]:
    """The lines of all pages, and the messages in the sources."""
    for path in [*ROOT.glob("*.md"), *sources(".md"), *pages()]:
        for line, text in enumerate(path.read_text().splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{line}", text
    for path in sources(".py"):
        if "tests" not in path.parts:
            yield from messages(path.relative_to(ROOT), parsed(path))


def messages(path: Path, tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The texts of a source without its docstrings."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in statements:
                yield f"{path}:{node.lineno}", text


def test_pages_and_messages_are_plain_sentences() -> None:
    assert not [place for place, text in prose() if ODD.search(text)]


def test_comments_of_plain_folders_are_plain_sentences() -> None:
    paths = [
        path
        for folder in PLAIN_FOLDERS
        for path in files(folder)
        if path.suffix in {".py", ".ts", ".java"} and "migrations" not in path.parts
    ]
    assert paths
    assert not [
        f"{path.relative_to(ROOT)}:{line}"
        for path in paths
        for line, text in enumerate(path.read_text().splitlines(), 1)
        if STILTED.search(text)
    ]


@pytest.mark.parametrize(
    "text",
    ["Somebody who keeps state", "Says how far it is", "those that live", "loads it anew"],
)
def test_the_lint_finds_stilted_comments(text: str) -> None:
    assert STILTED.search(text)


@pytest.mark.parametrize(
    "text",
    ["'x' is no origin", "It stands in the trail", "The client is told of it", "loads it anew"],
)
def test_the_lint_finds_odd_sentences(text: str) -> None:
    assert ODD.search(text)
    assert [
        place for place, message in messages(ROOT, parse(f"f({text!r})")) if ODD.search(message)
    ]


@pytest.mark.parametrize("text", ["it is no longer there", "there is no such step"])
def test_the_lint_leaves_plain_sentences(text: str) -> None:
    assert not ODD.search(text)
