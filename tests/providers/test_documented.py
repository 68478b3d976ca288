"""docs/gateway.md says what the code does."""

import re
from pathlib import Path

from promptops_providers import errors
from promptops_providers.default_models import DEFAULT_MODELS
from promptops_providers.provider_names import PROVIDER_NAMES
from promptops_providers.transport.clients import Timeouts

TEXT = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()


def rows(first: str) -> list[list[str]]:
    """The cells of the table whose head begins with that word."""
    table = TEXT.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_provider_and_its_default_model() -> None:
    listed = {row[0].strip("`"): row[2] for row in rows("Provider")}
    assert tuple(listed) == PROVIDER_NAMES
    documented = {name: model.strip("`") for name, model in listed.items() if "gpt" in model}
    assert documented == {"openai": DEFAULT_MODELS["openai"]}
    assert listed["ollama"] == f"`{DEFAULT_MODELS['ollama']}`"


def test_every_error_and_what_follows_from_it() -> None:
    listed = {row[0].strip("`"): (row[2], row[3]) for row in rows("Code")}
    actual = {}
    stack = errors.ProviderError.__subclasses__()
    while stack:
        error = stack.pop()
        stack += error.__subclasses__()
        answers = {True: "yes", False: "no"}
        actual[error.code] = (answers[error.retryable], answers[error.falls_back])
    assert listed == actual


def test_the_time_outs() -> None:
    seconds = r"(\d+) seconds for a connection, (\d+) for the first piece .* and (\d+) for a whole"
    match = re.search(seconds, TEXT)
    assert match is not None
    assert tuple(map(float, match.groups())) == (
        Timeouts().connect,
        Timeouts().first_token,
        Timeouts().whole,
    )
