"""Plans an import and carries it out.

Existing resources are left alone, unless they are unchanged since the last import.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptops_platform.as_code.remote import ServerError
from promptops_platform.imports.contents import (
    ImportedContents,
    ImportedDefinition,
    ImportedPrompt,
    body_of,
)
from promptops_platform.imports.target import Target, TargetPrompt

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """How many resources were written, are the same, were left alone, or were refused."""

    written: int = 0
    same: int = 0
    left: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One action. `is_conflict` if the target has different content."""

    title: str
    text: str
    act: Callable[[], None]
    is_conflict: bool = False


class Import:
    """`force` makes the source win conflicts."""

    def __init__(
        self, contents: ImportedContents, target: Target, say: Say, *, force: bool
    ) -> None:
        self._contents = contents
        self._target = target
        self._say = say
        self._force = force

    def plan(self) -> tuple[list[Step], int]:
        """Return what is to be done, and how many resources are already the same. Raises
        ServerError."""
        steps: list[Step] = []
        for slug, name in self._target.missing_workspaces(self._contents.workspaces).items():
            self._target.expect_empty(slug)
            steps.append(
                Step(f"workspace {slug}", "new", self._bound(self._make_workspace, slug, name))
            )
        all_steps = [
            *map(self._prompt, self._contents.prompts),
            *map(self._definition, self._contents.definitions),
        ]
        steps += [step for step in all_steps if step is not None]
        return steps, all_steps.count(None)

    def run(self, *, dry_run: bool) -> Outcome:
        """Import, or only print what would be done. A refusal by the server does not stop the
        rest."""
        steps, same = self.plan()
        outcome = Outcome(same=same)
        for remark in self._contents.remarks:
            self._say(f"note: {remark}")
        for step in steps:
            if step.is_conflict and not self._force:
                self._say(f"{step.title}: {step.text}, left alone; --force takes the source's")
                outcome.left += 1
            elif dry_run:
                self._say(f"{step.title}: {step.text}")
                outcome.written += 1
            else:
                self._act(step, outcome)
        return outcome

    def _act(self, step: Step, outcome: Outcome) -> None:
        try:
            step.act()
        except ServerError as error:
            self._say(f"{step.title}: not imported: {error}")
            outcome.refused += 1
        else:
            self._say(f"{step.title}: {step.text}, imported")
            outcome.written += 1

    def _prompt(self, prompt: ImportedPrompt) -> Step | None:
        title = _title(prompt)
        stored = self._target.resource(prompt.workspace, prompt.identity)
        if stored is None:
            text = "new" + _versions(len(prompt.versions), prompt.served)
            return Step(title, text, self._bound(self._target.save_prompt, prompt, None))
        existing = self._target.prompt(prompt.workspace, stored)
        if _is_same(prompt, existing):
            return None
        missing = [item for item in prompt.versions if item.label not in existing.versions]
        conflict = _conflict(prompt, existing)
        text = conflict or "changed" + _versions(len(missing), prompt.served)
        act = self._bound(self._target.save_prompt, prompt, existing)
        return Step(title, text, act, is_conflict=conflict is not None)

    def _definition(self, item: ImportedDefinition) -> Step | None:
        stored = self._target.resource(item.workspace, item.identity)
        if stored is not None and stored.content == item.content:
            return None
        act = self._bound(
            self._target.save_definition, item.workspace, item.identity, item.content, stored
        )
        text = "new" if stored is None else "differs from the one that is there"
        return Step(_title(item), text, act, is_conflict=stored is not None)

    def _make_workspace(self, slug: str, name: str) -> None:
        self._target.create_workspace(slug, name)

    @staticmethod
    def _bound(function: Callable[..., None], *arguments: object) -> Callable[[], None]:
        return lambda: function(*arguments)


def _title(item: ImportedPrompt | ImportedDefinition) -> str:
    return f"{item.workspace}: {item.identity}" if item.workspace else str(item.identity)


def _versions(number: int, served: str | None) -> str:
    if not number and served is None:
        return ", a draft"
    noun = "version" if number == 1 else "versions"
    return f", {number} {noun}, serves {served}"


def _is_same(prompt: ImportedPrompt, existing: TargetPrompt) -> bool:
    return (
        existing.stored.content == prompt.draft
        and existing.served == prompt.served
        and all(
            existing.versions.get(version.label) == body_of(version.content)
            for version in prompt.versions
        )
    )


def _conflict(prompt: ImportedPrompt, existing: TargetPrompt) -> str | None:
    """Return what somebody has changed in the target; None if it has an earlier state of the
    source."""
    bodies = {version.label: body_of(version.content) for version in prompt.versions}
    for label, body in existing.versions.items():
        if bodies.get(label) != body:
            return f"version {label} differs from the one there"
    former = [prompt.draft, *(version.content for version in prompt.versions)]
    if not any(body_of(content) == body_of(existing.stored.content) for content in former):
        return "its draft differs from the one there"
    return None
