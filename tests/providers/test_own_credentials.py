import pytest

from promptops_providers.gateway import Credentials, Target
from promptops_providers.own_credentials import with_own

STORED = Target("p", "m", "openai", Credentials("stored", "https://stored.example"))


@pytest.mark.parametrize(
    ("api_key", "base_url", "expected"),
    [
        (None, None, Credentials("stored", "https://stored.example")),
        ("", "", Credentials("stored", "https://stored.example")),
        ("own", None, Credentials("own", "https://stored.example")),
        ("own", "https://own.example", Credentials("own", "https://own.example")),
        # The one that matters: the stored key stays here.
        (None, "https://own.example", Credentials(None, "https://own.example")),
        ("", "https://stored.example", Credentials(None, "https://stored.example")),
    ],
)
def test_a_stored_key_is_sent_to_the_stored_address_only(
    api_key: str | None, base_url: str | None, expected: Credentials
) -> None:
    target = with_own(STORED, api_key, base_url)
    assert target.credentials == expected
    assert (target.provider, target.model, target.kind) == ("p", "m", "openai")
