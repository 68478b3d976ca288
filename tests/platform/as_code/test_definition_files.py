"""Agents and workflows as YAML."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops_platform.as_code import definition_files
from promptops_platform.as_code.paths import identity_of, path_of
from promptops_platform.as_code.resources import Content, Identity
from promptops_platform.as_code.yaml_text import FileError
from promptops_platform.field_types import KEY_REFUSED, LINE_CONTROL


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("agent", {"prompt": "Help {{who}}.\nBe kind.", "max_steps": 3, "tags": "a,b"}),
        ("agent", {"prompt_ref": {"key": "a", "env": "prod"}, "parameters": {"temperature": 0.1}}),
        ("workflow", {"steps": [{"name": "a", "type": "render", "template": "x"}], "strict": True}),
        ("workflow", {"input_schema": {"type": "object"}, "timeout": "5m", "tags": "a,b"}),
    ],
)  # fmt: skip
def test_a_definition_survives(kind: Any, values: dict[str, Any]) -> None:
    content = Content.of(kind, values)
    assert content.values == values
    identity = Identity(kind, "some-key")
    text = definition_files.write(identity, content)
    assert definition_files.parse(text, kind, key="some-key") == content


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("step: []", "line 1: 'step' is not a field of workflows; use name"),
        ("name: a\nkey: other", "line 2: key is 'other', but the path says 'some-key'"),
        ("steps: [", "is not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(FileError) as refusal:
        definition_files.parse(text, "workflow", key="some-key")
    assert sentence in str(refusal.value)


keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(
    lambda key: not KEY_REFUSED.search(key) and not LINE_CONTROL.search(key)
)


@given(keys, keys)
def test_a_path_says_the_key(key: str, env: str) -> None:
    for identity in (Identity("prompt", key, env), Identity("agent", key)):
        path = path_of(identity)
        assert identity_of(path) == identity
        assert not any(part.startswith(".") for part in path.parts)


@pytest.mark.parametrize(
    "path", ["README.md", "prompts/a.prompt", "prompts/prod/notes.md", "agents/x/y.yaml"]
)
def test_other_files_are_left_alone(path: str) -> None:
    assert identity_of(PurePosixPath(path)) is None
