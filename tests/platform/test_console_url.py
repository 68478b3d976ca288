"""Where Prefect links to for a run."""

import pytest
from pydantic import ValidationError

from promptops_platform.settings import Settings


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"addr": "0.0.0.0:9000"}, "http://127.0.0.1:9000"),
        ({"url": "https://prompts.example.org/"}, "https://prompts.example.org"),
        ({"url": "http://[::1]:8080/console/"}, "http://[::1]:8080/console"),
    ],
)
def test_the_console_s_address(fields: dict[str, str], url: str) -> None:
    assert Settings.model_validate(fields).console_url == url


@pytest.mark.parametrize("url", ["prompts.example.org", "ftp://x", "https://", "http://x/?a=1"])
def test_an_address_that_is_not_one_of_a_page_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="is not the address of a page"):
        Settings.model_validate({"url": url})
