"""YAML for people: errors have line numbers, and the output is readable."""

from __future__ import annotations

from typing import Any

import yaml

# Far above the size of any front matter.
DEEPEST = 50
_TEXT = "tag:yaml.org,2002:str"
# Booleans in YAML 1.1 only; as names, such as `on` of a trigger, they are texts.
_OLD_BOOLEANS = frozenset(("on", "off", "yes", "no", "y", "n"))


class FileError(ValueError):
    """Something in a file is invalid. `line` counts from 1, None for the whole file."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence if line is None else f"line {line}: {sentence}")
        self.sentence = sentence
        self.line = line


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Dates remain texts, because JSON has none."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # A few lines of aliases can expand to gigabytes.
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases can't be used", mark)
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes multi-line texts as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar(_TEXT, value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """Return YAML that `load` reads back to an equal value; ends with a line break."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31 - 1
    )
    return text


class Document:
    """A mapping in YAML, with the line of each of its names. Raises FileError for anything else.

    `first_line` is the line of the file in which the text begins, counted from 1.
    """

    def __init__(self, text: str, *, first_line: int = 1) -> None:
        self._first_line = first_line
        self.values: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return
            if not isinstance(node, yaml.MappingNode):
                raise FileError("must be names and values, as `model: gpt-5`", first_line)
            self._check(node, 0)
            self.values = loader.construct_document(node)
            for name, _ in node.value:
                self._lines[str(name.value)] = self._line(name)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = None if mark is None else mark.line + first_line
            raise FileError(f"is not valid YAML: {error.problem or error.context}", line) from None
        except yaml.YAMLError as error:
            raise FileError(f"is not valid YAML: {str(error).splitlines()[0]}") from None
        finally:
            loader.dispose()

    def line_of(self, name: str) -> int:
        """Return the line of a top-level name."""
        return self._lines.get(name, self._first_line)

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + self._first_line

    def _check(self, node: yaml.Node, depth: int) -> None:
        """Refuse repeated names, names that aren't texts, and excessive depth."""
        if depth > DEEPEST:
            raise FileError(f"is nested more than {DEEPEST} levels deep", self._line(node))
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._check(item, depth + 1)
        if not isinstance(node, yaml.MappingNode):
            return
        names: set[str] = set()
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value in _OLD_BOOLEANS:
                name.tag = _TEXT
            if not isinstance(name, yaml.ScalarNode) or name.tag != _TEXT:
                raise FileError("names must be texts; put this one in quotes", self._line(name))
            if name.value in names:
                raise FileError(f"{name.value!r} is given twice", self._line(name))
            names.add(name.value)
            self._check(value, depth + 1)
