"""A run that is a single model call, ready to be stored: plain values that can also be written to a
file."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from promptops_platform.runlog.prices import dollars
from promptops_platform.runlog.tables import RunRow, RunStepRow
from promptops_providers.protocol import PromptVersion

RUN_TIMES = ("created_at", "began_at")
STEP_TIMES = ("started_at",)


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """The columns of the run, completed when its end is recorded, and of its only step."""

    run: dict[str, Any]
    step: dict[str, Any]
    ended_at: datetime

    @classmethod
    def of(cls, run: RunRow, step: RunStepRow, ended_at: datetime) -> Self:
        return cls(_columns(run), _columns(step), ended_at)

    @classmethod
    def read(cls, line: str) -> Self:
        """Parse the text that `written` made; raises ValueError, KeyError or TypeError for other
        texts and for columns of another release."""
        fields = json.loads(line)
        run, step = dict(fields["run"]), dict(fields["step"])
        # Earlier releases had no queue, and wrote no time at which the run began.
        run.setdefault("began_at", run["created_at"])
        for columns, names in ((run, RUN_TIMES), (step, STEP_TIMES)):
            columns.update({name: datetime.fromisoformat(columns[name]) for name in names})
        call = cls(run, step, datetime.fromisoformat(fields["ended_at"]))
        call.rows()
        return call

    def written(self) -> str:
        """Return one line of JSON."""
        fields = {"run": self.run, "step": self.step, "ended_at": self.ended_at}
        return json.dumps(fields, default=datetime.isoformat)

    def rows(self) -> tuple[RunRow, RunStepRow]:
        """Return new rows, for one transaction."""
        return RunRow(**self.run), RunStepRow(**self.step)

    @property
    def prompt(self) -> PromptVersion | None:
        """The registry prompt that it used."""
        names = ("prompt_key", "prompt_env", "prompt_version", "prompt_variant")
        key, env, version, variant = (self.run.get(name) for name in names)
        return None if key is None else PromptVersion(key, env or "", version or "", variant)

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.run["id"])

    @property
    def cost_usd(self) -> float | None:
        """The cost of the call; None if its price or its usage isn't known."""
        return dollars(self.step["cost_nanos"])

    @property
    def characters(self) -> int:
        """The approximate total length of its texts."""
        texts = (self.step["input"], self.step["output"], self.step["error"])
        return sum(len(text or "") for text in texts) + len(str(self.run["inputs"] or ""))


def _columns(row: RunRow | RunStepRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in type(row).__mapper__.column_attrs}
