"""Compiles an agent to a Prefect flow: `render`, then `model` and `tool: <name>` until it
answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State

from promptops_flows.definitions.agent import written_message
from promptops_flows.engine.compiled_run import CompiledRun, StepFailedError, model_access
from promptops_flows.engine.result_cuts import ResultCuts
from promptops_flows.engine.run_control import RunControl
from promptops_flows.engine.runs import Emit
from promptops_flows.engine.step_run import StepPlan, StepRun
from promptops_flows.json_schemas.turns import Turns
from promptops_flows.protocol.engine_protocol import RunFinished
from promptops_flows.protocol.run_request import RunRequest
from promptops_flows.steps.context import StepError, StepOutput
from promptops_flows.steps.http_tools import ToolError, call_tool
from promptops_flows.steps.plans import AgentPlan
from promptops_flows.steps.services import StepServices
from promptops_flows.steps.structured import UnfitAnswerError, parse_structured, repair_request
from promptops_flows.templates.bounded import TextTooLongError
from promptops_flows.templates.chat_messages import (
    MessageError,
    PlaceholderError,
    RenderedChat,
    render_chat,
)
from promptops_flows.templates.language import TemplateValueError
from promptops_providers.errors import ContextTooLongError, ProviderError
from promptops_providers.gateway import ModelGateway
from promptops_providers.protocol import (
    Completion,
    CompletionRequest,
    Message,
    ToolCall,
    ToolChoice,
)

# The maximum number of tool calls in one answer of a model; each call is a task in Prefect.
MAX_CALLS_AT_ONCE = 32
_NAME_CHARACTERS = 64
_BETWEEN_MESSAGES = "\n\n"

States = Sequence[State[Any]]


class AgentRun(CompiledRun):
    """One run of an agent. `RunFinished.agent` contains `turns` (the messages that the run added to
    the conversation), `stop_reason`, and `structured` if the agent has an output schema."""

    def __init__(
        self,
        request: RunRequest,
        plan: AgentPlan,
        emit: Emit,
        services: StepServices,
        control: RunControl,
    ) -> None:
        super().__init__(request, emit, control)
        self._plan = plan
        self._variables = request.variables
        self._prompt = request.prompt
        self._prompts = (request.prompt,) if request.prompt else ()
        self._gateway = services.gateway
        self._tool_client = services.http.of_run(request.run_id)
        self._turns = Turns()
        self._targets = model_access(request).targets(plan.models)
        self._tools = {tool.name: tool for tool in plan.tools}
        self._index = 0
        # The number of messages that earlier steps have already recorded as model input.
        self._logged_count = 0
        self._cuts = ResultCuts()

    async def run_steps(self) -> RunFinished:
        rendered, states = await self._render()
        user_messages = _user_turn(self._plan, rendered)
        messages = [*_leading_messages(self._plan, rendered), *self._plan.history, *user_messages]
        turns = list(user_messages)
        for call in range(1, self._plan.max_steps + 1):
            completion, states = await self._ask(messages, states)
            if not completion.tool_calls:
                return await self._answered(messages, turns, completion, states)
            self._check_calls(completion, is_last=call == self._plan.max_steps)
            results, states = await self._call_tools(completion.tool_calls, states)
            for added in (completion.as_message(), *results):
                messages.append(added)
                turns.append(added)
        raise AssertionError("an agent has at least one model call")

    async def _render(self) -> tuple[list[Message], States]:
        rendered: list[Message] = []

        async def work() -> StepOutput:
            # On a thread: rendering a template of a megabyte must not block the other runs.
            chat = await asyncio.to_thread(self._rendered)
            rendered[:] = chat.messages
            return StepOutput(chat.text, notes=chat.notes)

        plan = StepPlan(self._next_index(), "render", "render", work, prompts=self._prompts)
        run, state = await self._run_required(plan)
        if run.checkpoint is not None:
            # The checkpoint contains only the text, not the messages.
            await work()
        return rendered, [state]

    def _rendered(self) -> RenderedChat:
        try:
            return render_chat(self._plan.prompt, self._variables)
        except (TextTooLongError, TemplateValueError, PlaceholderError, MessageError) as error:
            raise StepError(str(error)) from error

    async def _ask(
        self, messages: list[Message], after: States, choice: ToolChoice = "auto"
    ) -> tuple[Completion, States]:
        answers: list[Completion] = []
        first, index = self._plan.models[0], self._next_index()
        gateway = self.gateway(self._gateway, index)

        async def work() -> StepOutput:
            try:
                answer = await self._complete(gateway, messages, choice)
            except ProviderError as error:
                raise StepError.of(error) from error
            completion = self._without_secrets(answer)
            answers.append(completion)
            return StepOutput(
                completion.text,
                completion.provider or first.provider,
                completion.model,
                completion.usage,
                completion.stop_reason,
                completion.notes,
                completion.spent,
            )

        plan = StepPlan(
            index,
            "model",
            "model",
            work,
            provider=first.provider,
            model=first.model or None,
            input=self._new_input(messages),
            completion=lambda: answers[-1],
            prompts=self._prompts,
        )
        run, state = await self._run_required(plan, after)
        completion = run.checkpoint.completion if run.checkpoint else answers[-1]
        assert completion is not None
        return completion, [state]

    async def _complete(
        self, gateway: ModelGateway, messages: list[Message], choice: ToolChoice
    ) -> Completion:
        """Call the model; tool results are shortened until the conversation fits the model's
        context window."""
        plan = self._plan
        request = CompletionRequest(
            messages=(),
            parameters=plan.parameters,
            tools=tuple(tool.as_tool() for tool in plan.tools),
            tool_choice=choice,
            output_schema=plan.output_schema,
            prompt=self._prompt,
        )
        while True:
            asked = replace(request, messages=tuple(messages))
            try:
                answer = await gateway.complete(asked, self._targets)
            except ContextTooLongError:
                if not self._cuts.cut(messages):
                    raise
                continue
            note = self._cuts.note(messages)
            return replace(answer, notes=(*answer.notes, *([note] if note else ())))

    def _new_input(self, messages: Sequence[Message]) -> str:
        """The messages that are new to the model in this call; earlier ones are part of earlier
        steps."""
        logged_count, self._logged_count = self._logged_count, len(messages)
        new = [
            message
            for message in messages[logged_count:]
            if logged_count == 0 or message.role != "assistant"
        ]
        return _BETWEEN_MESSAGES.join(message.content for message in new if message.content)

    def _without_secrets(self, answer: Completion) -> Completion:
        """Redact provider keys that the model has repeated: callers and tools must not read
        them."""
        calls = tuple(
            replace(
                call,
                name=self.redact(call.name),
                arguments=self.redact.within(dict(call.arguments)),
            )
            for call in answer.tool_calls
        )
        return replace(
            answer,
            text=self.redact(answer.text),
            model=self.redact(answer.model),
            tool_calls=calls,
            vendor_data=self.redact.within(dict(answer.vendor_data)),
        )

    def _check_calls(self, completion: Completion, *, is_last: bool) -> None:
        """Raises `StepFailedError` for too many calls, and for any calls after the last model call,
        since nobody would read their results."""
        asked = len(completion.tool_calls)
        if asked > MAX_CALLS_AT_ONCE:
            raise StepFailedError(
                f"step {self._index} (model): the model asked for {asked} tool calls at once, at "
                f"most {MAX_CALLS_AT_ONCE} are run; say in the prompt which are needed"
            )
        if is_last:
            raise StepFailedError(
                f"step {self._index} (model): the agent has used up its max_steps of "
                f"{self._plan.max_steps} model calls and still asks for tools; raise max_steps, or "
                "say in the prompt when to stop"
            )

    async def _call_tools(
        self, calls: Sequence[ToolCall], after: States
    ) -> tuple[list[Message], States]:
        """Run all calls in parallel; the error of a failed call is sent to the model, and the run
        continues."""
        outcomes = await asyncio.gather(
            *(self._call_tool(call, after) for call in calls), return_exceptions=True
        )
        results, states = [], []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome[0])
            states.append(outcome[1])
        return results, states

    async def _call_tool(self, call: ToolCall, after: States) -> tuple[Message, State[Any]]:
        async def work() -> StepOutput:
            return StepOutput(self.redact(await self._tool_text(call)))

        shown = json.dumps(dict(call.arguments), ensure_ascii=False)
        name = f"tool: {call.name[:_NAME_CHARACTERS]}"
        # The name of an unknown tool is text that the model has written.
        public = None if call.name in self._tools else "tool: unknown"
        plan = StepPlan(
            self._next_index(),
            name,
            "tool",
            work,
            input=shown,
            public_name=public,
            # The model receives the failure like any other result.
            keeps_failures=True,
        )
        run, state = await self.step(plan, after)
        text = run.output.text if run.output else f"error: {run.error}"
        return Message("tool", text, tool_call_id=call.id), state

    async def _tool_text(self, call: ToolCall) -> str:
        tool = self._tools.get(call.name)
        try:
            if tool is None:
                tool_names = ", ".join(self._tools) or "none"
                raise ToolError(
                    "there is no such tool", f"{call.name!r}; the tools are: {tool_names}"
                )
            if call.problem:
                raise ToolError(call.problem)
            return await call_tool(self._tool_client, tool, call.arguments, self._turns)
        except ToolError as error:
            raise StepError(str(error), error.summary) from error

    async def _answered(
        self,
        messages: Sequence[Message],
        turns: Sequence[Message],
        completion: Completion,
        after: States,
    ) -> RunFinished:
        """Finish the run. If the answer doesn't match the output schema, the model is asked once
        more; only the valid answer becomes part of the conversation."""
        schema, fields = self._plan.output_schema, {}
        if schema is not None:
            try:
                fields["structured"] = await self._turns.compare(
                    parse_structured, schema, completion.text
                )
            except UnfitAnswerError as error:
                correction = Message("user", repair_request(schema, str(error)))
                asked = [*messages, completion.as_message(), correction]
                completion, _ = await self._ask(asked, after, choice="none")
                fields["structured"] = await self._repaired(schema, completion.text)
        last = Message("assistant", completion.text, vendor_data=completion.vendor_data)
        fields["turns"] = [
            written_message(replace(message, content=self.redact(message.content)))
            for message in (*turns, last)
        ]
        fields["stop_reason"] = completion.stop_reason
        return RunFinished("ok", output=completion.text, agent=fields)

    async def _repaired(self, schema: Any, text: str) -> Any:
        try:
            return await self._turns.compare(parse_structured, schema, text)
        except UnfitAnswerError as error:
            where = f"step {self._index} (model)"
            summary = f"{where}: the answer does not match output_schema, even after one repair"
            raise StepFailedError(f"{summary}: {self.redact(str(error))}", summary) from error

    async def _run_required(self, plan: StepPlan, after: States = ()) -> tuple[StepRun, State[Any]]:
        """Run a step that must succeed; raises `StepFailedError`."""
        run, state = await self.step(plan, after)
        if run.output is None:
            raise StepFailedError(*run.failure)
        return run, state

    def _next_index(self) -> int:
        self._index += 1
        return self._index


def _leading_messages(plan: AgentPlan, rendered: Sequence[Message]) -> list[Message]:
    """The messages that precede the conversation's history."""
    if plan.is_chat:
        return list(rendered)
    if plan.user_message is None:
        return []
    return [Message("system", message.content) for message in rendered if message.content]


def _user_turn(plan: AgentPlan, rendered: Sequence[Message]) -> list[Message]:
    """The user message of this run; empty if a chat prompt contains all messages."""
    if plan.user_message is not None:
        return [Message("user", plan.user_message)]
    return [] if plan.is_chat else list(rendered)
