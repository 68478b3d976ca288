"""Unified diffs of texts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

LINE = re.compile(r"[^\n]*\n|[^\n]+")
NO_NEWLINE = "\n\\ No newline at end of file\n"
CONTEXT = 3
# difflib's time grows with the square of the changed part (1,000 lines of which every other one
# differs take 0.1 s): a longer one, which no real prompt has, is shown as one change.
MOST_LINES = 1_000

# How a run of lines changes, as difflib has it: a tag and the places in the old and new text.
Step = tuple[str, int, int, int, int]


def unified(before: str, after: str, from_: str, to: str) -> str:
    """A unified diff as `diff -u` writes it, which `patch` takes; empty for equal texts."""
    if before == after:
        return ""
    old, new = LINE.findall(before), LINE.findall(after)
    lines = [f"--- {from_}\n", f"+++ {to}\n"]
    for hunk in _hunks(old, new):
        lines += _hunk_lines(hunk, old, new)
    return "".join(line if line.endswith("\n") else line + NO_NEWLINE for line in lines)


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterable[Sequence[Step]]:
    """The changes with their context; what both texts begin and end with costs next to nothing."""
    first = _equal_lines(old, new)
    last = _equal_lines(reversed(old[first:]), reversed(new[first:]))
    head, tail = max(0, first - CONTEXT), max(0, last - CONTEXT)
    a, b = len(old) - tail, len(new) - tail
    if max(a, b) - head <= MOST_LINES:
        groups = SequenceMatcher(None, old[head:a], new[head:b]).get_grouped_opcodes(CONTEXT)
        for group in groups:
            yield [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in group]
    else:
        c, d = len(old) - last, len(new) - last
        yield [
            ("equal", head, first, head, first),
            ("replace", first, c, first, d),
            ("equal", c, a, d, b),
        ]


def _equal_lines(old: Iterable[str], new: Iterable[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(old, new, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _hunk_lines(hunk: Sequence[Step], old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    (_, a, _, c, _), (_, _, b, _, d) = hunk[0], hunk[-1]
    yield f"@@ -{_lines_at(a, b)} +{_lines_at(c, d)} @@\n"
    for tag, i, j, k, m in hunk:
        if tag == "equal":
            yield from (f" {line}" for line in old[i:j])
        else:
            yield from (f"-{line}" for line in old[i:j])
            yield from (f"+{line}" for line in new[k:m])


def _lines_at(start: int, stop: int) -> str:
    """A hunk's place: its first line from 1, and how many; an empty one is named by the line
    before it."""
    length = stop - start
    return f"{start + 1 if length else start},{length}"
