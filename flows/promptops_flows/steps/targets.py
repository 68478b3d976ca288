"""The registry resources that a step uses: an agent, a workflow, a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from promptops_flows.steps.field_schemas import VERSION, Schema, described, needed_text, text
from promptops_flows.steps.fields import Fields, shown
from promptops_providers.protocol import PromptVersion

MAX_KEY_CHARACTERS = 200
MAX_SUBJECT_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class DefinitionTarget:
    """A key, with a version or an environment; without either, the served version is used. Before a
    run starts, `version` is set to the version that it uses."""

    key: str
    version: str = ""
    env: str = ""

    @staticmethod
    def fields() -> dict[str, Schema]:
        """The schemas of the fields that `parse` reads."""
        return {
            "key": needed_text(MAX_KEY_CHARACTERS),
            "version": VERSION,
            "env": described(text(MAX_KEY_CHARACTERS), "Can't be combined with `version`."),
        }

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Raises `DefinitionError`."""
        key = fields.text("key", MAX_KEY_CHARACTERS).strip()
        if not key:
            raise fields.error("key", "is missing, give the key of an agent or a workflow")
        version = _version(fields)
        if version and not (version.isascii() and version.isdigit() and len(version) < 10):
            raise fields.error("version", f"'{shown(version)}' is not the number of a version")
        env = fields.text("env", MAX_KEY_CHARACTERS).strip()
        if version and env:
            raise fields.error("env", "can't be combined with version; give one of the two")
        return cls(key, version, env)


@dataclass(frozen=True, slots=True)
class PromptTarget:
    """A key and an environment, with a version or with a `subject` for rollouts, which is a
    template over the run's variables. Before a run starts, `version` and `variant` are set to those
    that it uses."""

    key: str
    env: str = ""
    version: str = ""
    subject: str = ""
    variant: str = ""

    @property
    def used(self) -> PromptVersion:
        """The prompt version that a run uses."""
        return PromptVersion(self.key, self.env, self.version, self.variant or None)

    @staticmethod
    def schema() -> Schema:
        """The schema of the object with the fields that `parse` reads."""
        return {
            "type": ["object", "null"],
            "required": ["key"],
            "properties": {
                "key": needed_text(MAX_KEY_CHARACTERS),
                "env": text(MAX_KEY_CHARACTERS),
                "version": VERSION,
                "subject": described(
                    text(MAX_SUBJECT_CHARACTERS), "Can't be combined with `version`."
                ),
            },
        }

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Raises `DefinitionError`."""
        key = fields.text("key", MAX_KEY_CHARACTERS).strip()
        if not key:
            raise fields.error("key", "is missing, give the key of a prompt")
        version, subject = _version(fields), fields.text("subject", MAX_SUBJECT_CHARACTERS)
        if version and subject:
            raise fields.error("subject", "can't be combined with version; give one of the two")
        env = fields.text("env", MAX_KEY_CHARACTERS).strip()
        return cls(key, env, version, subject)


def version_number(version: str) -> int | None:
    """The number of a definition's version."""
    return int(version) if version else None


def _version(fields: Fields) -> str:
    """Accepts numbers as well, because the versions of definitions are numbers."""
    value: Any = fields.value("version")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = fields.text("version", MAX_KEY_CHARACTERS).strip()
    if not text.isprintable():
        raise fields.error("version", f"'{shown(text)}' is not a version")
    return text
