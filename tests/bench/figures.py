"""A figure with its target, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One measured value; `unit` stands before a ratio and after anything else."""

    name: str
    value: float
    bound: Literal["≤", "≥"]
    target: float
    unit: str = "ratio"

    @property
    def held(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.target if self.bound == "≤" else self.value >= self.target

    def line(self) -> str:
        """`name: ratio X (target ≤ Y) ok`."""
        value, target = _number(self.value), _number(self.target)
        shown = f"ratio {value}" if self.unit == "ratio" else f"{value} {self.unit}".rstrip()
        verdict = "ok" if self.held else "MISSED"
        return f"{self.name}: {shown} (target {self.bound} {target}) {verdict}"


@dataclass(frozen=True)
class Result:
    """The figures of one benchmark and the raw numbers that they come from."""

    figures: list[Figure]
    raw: list[str]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not less than `share` (0 to 1) of all."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_ratio(subject: Sequence[float], baseline: Sequence[float]) -> float:
    """The median over the rounds, each of which measured both back to back."""
    return median(mine / theirs for mine, theirs in zip(subject, baseline, strict=True))


def listed(values: Sequence[float], digits: int = 0) -> str:
    """Raw numbers on one line."""
    return " ".join(f"{value:,.{digits}f}" for value in values)


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
