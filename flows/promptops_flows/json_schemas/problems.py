"""How a value disagrees with a schema, and where in the value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

# The limit per value; more problems aren't collected.
_MAX_PROBLEMS = 20

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """`words` creates the message on demand, since most problems are never shown. The path starts
    at the evaluated value."""

    words: Callable[[], str]
    path: Path = ()

    def below(self, step: str | int) -> Problem:
        return Problem(self.words, (step, *self.path))


@dataclass(slots=True)
class Outcome:
    """The outcome for one value and one schema: the problems, and which of the value's members were
    evaluated, which is tracked only for schemas with `unevaluatedProperties` or
    `unevaluatedItems`."""

    problems: list[Problem] = field(default_factory=list)
    members: set[str | int] = field(default_factory=set)

    def add(self, words: Callable[[], str]) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(words))

    def take(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if len(self.problems) >= _MAX_PROBLEMS:
                return
            self.problems.append(problem)
