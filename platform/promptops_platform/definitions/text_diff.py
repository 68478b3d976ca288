"""Unified diffs of texts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

LINE = re.compile(r"[^\n]*\n|[^\n]+")
NO_NEWLINE = "\n\\ No newline at end of file\n"
CONTEXT = 3
# difflib takes quadratic time in the changed part (0.1 s for 1,000 lines of which every other one
# differs); a longer part, which no real prompt has, is shown as a single change.
MOST_LINES = 1_000

# How a range of lines changes, as in difflib: a tag and the ranges in the old and new text.
Step = tuple[str, int, int, int, int]


def unified(before: str, after: str, from_: str, to: str) -> str:
    """Return a unified diff in the format of `diff -u` and `patch`; empty for equal texts."""
    if before == after:
        return ""
    old, new = LINE.findall(before), LINE.findall(after)
    lines = [f"--- {from_}\n", f"+++ {to}\n"]
    for hunk in _hunks(old, new):
        lines += _hunk_lines(hunk, old, new)
    return "".join(line if line.endswith("\n") else line + NO_NEWLINE for line in lines)


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterable[Sequence[Step]]:
    """Yield the changes with their context; equal beginnings and ends are skipped cheaply."""
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
    """Count the lines that both begin with."""
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
    """Format a hunk's range: its first line, counted from 1, and its length; an empty range is
    given by the line before it."""
    length = stop - start
    return f"{start + 1 if length else start},{length}"
