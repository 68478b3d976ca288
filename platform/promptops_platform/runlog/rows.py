"""Rows of the run log, with texts as the settings allow them to be stored."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from promptops_flows.protocol.engine_client import StepFinished
from promptops_platform.clock import Clock
from promptops_platform.runlog.new_run import NewRun
from promptops_platform.runlog.prices import PriceTable
from promptops_platform.runlog.redaction import StoredTexts
from promptops_platform.runlog.repository import LockedRun
from promptops_platform.runlog.rollups import LONGEST_MODEL
from promptops_platform.runlog.states import status_of
from promptops_platform.runlog.step_costs import step_charge, step_usage
from promptops_platform.runlog.tables import RunPromptRow, RunRow, RunStepRow
from promptops_platform.runlog.under_way import UNCLAIMED
from promptops_providers.answers.storable_texts import storable
from promptops_providers.protocol import PromptVersion

LONGEST_PROVIDER = 64
LONGEST_NAME = 200
LONGEST_REASON = 32
LONGEST_VARIANT = 64


class RowMaker:
    """Builds the rows that this platform adds to the log."""

    def __init__(
        self, *, texts: StoredTexts, prices: PriceTable, clock: Clock, instance: str
    ) -> None:
        self._texts = texts
        self._prices = prices
        self._clock = clock
        self._instance = instance

    async def run_row(self, run: NewRun) -> RunRow:
        """Return the row of an active run."""
        prompt = run.prompt
        started_at = run.started_at or self._clock.now()
        return RunRow(
            id=run.id,
            workspace_id=run.workspace_id,
            source=run.source,
            ref_key=run.ref_key,
            user_name=run.user[:LONGEST_NAME],
            scope=run.scope,
            prompt_key=prompt.key if prompt else None,
            prompt_env=prompt.env if prompt else None,
            prompt_version=prompt.version if prompt else None,
            prompt_variant=_variant(prompt) if prompt else None,
            inputs=await self._texts.inputs(run.inputs),
            provider=storable(run.provider)[:LONGEST_PROVIDER],
            model=self._texts.label(run.model, LONGEST_MODEL),
            prompt_tokens=0,
            cached_tokens=0,
            output_tokens=0,
            usage_estimated=False,
            latency_ms=0,
            status=status_of(run.state),
            state=run.state,
            version=run.version,
            retry_of=run.retry_of,
            causes=list(run.causes) or None,
            origin_kind=run.origin.kind if run.origin else None,
            origin_id=run.origin.id if run.origin else None,
            origin_key=run.origin.key if run.origin else None,
            began_at=None if run.state == "queued" else started_at,
            attempt=1,
            is_detached=run.is_detached,
            error="",
            output="",
            flow_run_id=run.flow_run_id,
            flow_run_url=run.flow_run_url,
            instance=self._instance if run.pool is None else UNCLAIMED,
            pool=run.pool,
            created_at=started_at,
        )

    def prompt_rows(
        self, run_id: str, run: RunRow | LockedRun, position: int, prompts: Iterable[PromptVersion]
    ) -> list[RunPromptRow]:
        """Return the prompts that the step at this position used; 0 is the run itself."""
        return [
            RunPromptRow(
                run_id=run_id,
                position=position,
                key=prompt.key,
                env=prompt.env,
                version=prompt.version,
                variant=_variant(prompt) or "",
                workspace_id=run.workspace_id,
                created_at=run.created_at,
            )
            for prompt in dict.fromkeys(prompts)
        ]

    async def step_row(self, run_id: str, step: StepFinished) -> RunStepRow:
        """Return the row of a finished step, with its cost."""
        usage = step_usage(step)
        provider = storable(step.provider or "")[:LONGEST_PROVIDER]
        model = self._texts.label(step.model or "", LONGEST_MODEL)
        started_at = datetime.fromisoformat(step.started_at)
        charge = step_charge(self._prices, step, provider, model, started_at)
        return RunStepRow(
            run_id=run_id,
            position=step.index,
            name=self._texts.name(step.name, step.public_name),
            type=step.type,
            state=step.state,
            started_at=started_at,
            duration_ms=step.duration_ms,
            attempts=step.attempts,
            provider=provider,
            model=model,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            usage_estimated=usage.estimated,
            cost_nanos=charge.nanos,
            price=charge.price,
            stop_reason=self._texts.label(step.stop_reason or "", LONGEST_REASON) or None,
            notes=[self._texts.name(note) for note in step.notes] or None,
            failures=await self._failures(step),
            items=None if step.items is None else asdict(step.items),
            reused=step.reused,
            outer=step.outer,
            version=step.version,
            prompts=[asdict(prompt) for prompt in step.prompts] or None,
            input=await self._texts.text(step.input),
            output=await self._texts.text(step.output),
            error=None if step.error is None else await self._texts.error(step.error, step.summary),
        )

    async def _failures(self, step: StepFinished) -> list[str] | None:
        summaries = step.failure_summaries or (step.summary,) * len(step.failures)
        pairs = zip(step.failures, summaries, strict=True)
        return [await self._texts.error(sentence, summary) for sentence, summary in pairs] or None


def _variant(prompt: PromptVersion) -> str | None:
    return prompt.variant and prompt.variant[:LONGEST_VARIANT]
