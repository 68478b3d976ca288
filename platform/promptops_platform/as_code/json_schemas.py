"""JSON Schemas of the files, so that editors complete and check them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from promptops_platform.agents.schemas import AgentCreate
from promptops_platform.as_code.resources import DEFAULTS, Kind
from promptops_platform.as_code.whole_files import replace_file
from promptops_platform.schedules.schemas import ScheduleCreate
from promptops_platform.triggers.schemas import TriggerCreate
from promptops_platform.workflows.schemas import WorkflowCreate

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BODIES: Mapping[Kind, type[BaseModel]] = {
    "agent": AgentCreate,
    "workflow": WorkflowCreate,
    "schedule": ScheduleCreate,
    "trigger": TriggerCreate,
}
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
COUNT = {"type": "integer", "minimum": 1}
PARAMETERS: Mapping[str, Any] = {
    "temperature": {**NUMBER, "description": "0 for the most likely answer."},
    "maxOutputTokens": {**COUNT, "description": "`max_tokens` of the prompt's config."},
    "topP": {**NUMBER, "description": "`top_p` of the prompt's config."},
    "topK": {**COUNT, "description": "`top_k` of the prompt's config."},
    "stopSequences": {
        "type": "array",
        "items": TEXT,
        "description": "`stop` of the prompt's config.",
    },
    "seed": {"type": "integer"},
}
OWN: Mapping[str, Any] = {
    "title": {**TEXT, "description": "The name that people see."},
    "env": {**TEXT, "description": "The environment; the folder says it, too."},
    "category": TEXT,
    "tags": {
        "description": "Texts, or one text with commas.",
        "anyOf": [TEXT, {"type": "array", "items": TEXT}],
    },
    "content": {**TEXT, "description": "A text that can't be below the front matter unchanged."},
    "messages": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Messages that can't be below the front matter unchanged.",
    },
    "config": {"type": "object", "description": "Replaces `config` and `output`."},
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return all schemas by their file names."""
    return {
        "prompt.json": prompt_schema(),
        **{f"{kind}.json": definition_schema(kind) for kind in BODIES},
    }


def write_schemas(folder: Path) -> None:
    """Write each schema to a file in the folder."""
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True)
        replace_file(folder / name, f"{text}\n")


def definition_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema of a YAML file: the fields of the API that are content."""
    schema = BODIES[kind].model_json_schema()
    fields = ("key", *DEFAULTS[kind])
    schema["properties"] = {name: schema["properties"][name] for name in fields}
    schema["properties"]["key"]["description"] = "The path says it, too."
    required = [name for name in schema.pop("required", ()) if name != "key"]
    return {
        **schema,
        **({"required": required} if required else {}),
        "$schema": DIALECT,
        "title": f"{kind}s/KEY.yaml",
        "description": f"A file of `promptops pull` and `push`: the working copy of one {kind}.",
        "additionalProperties": False,
    }


def prompt_schema() -> dict[str, Any]:
    """Return the schema of the front matter of a `.prompt` file."""
    return {
        "$schema": DIALECT,
        "title": "Front matter of prompts/ENV/KEY.prompt",
        "description": "A dotprompt file of `promptops pull` and `push`.",
        "type": "object",
        "properties": {
            "name": {**TEXT, "description": "The key; the path says it, too."},
            "model": TEXT,
            "config": {"type": "object", "properties": dict(PARAMETERS)},
            "output": {
                "type": "object",
                "description": "The form of the answer.",
                "properties": {
                    "format": {"enum": ["json", "text"]},
                    "schema": {
                        "type": ["object", "string"],
                        "description": "JSON Schema or Picoschema.",
                    },
                },
                "additionalProperties": False,
            },
            "input": {
                "type": "object",
                "description": "For readers; variables come from the text.",
                "properties": {"schema": {"type": ["object", "string"]}},
            },
            "description": TEXT,
            "metadata": {"type": "object"},
            "variant": TEXT,
            "version": {"type": ["string", "number"]},
            "promptops": {
                "type": "object",
                "properties": dict(OWN),
                "additionalProperties": False,
            },
            **{f"promptops.{name}": schema for name, schema in OWN.items()},
        },
        # Names with a dot belong to other tools.
        "patternProperties": {r"\.": {}},
        "additionalProperties": False,
    }
