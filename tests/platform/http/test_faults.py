"""A fault of ours."""

import pytest

from harness.platform import RunningPlatform
from promptops_platform.prompts.service import PromptService
from promptops_platform.serving.snapshot import Snapshot


@pytest.mark.parametrize(
    ("path", "owner", "name"),
    [
        ("/api/prompts", PromptService, "search"),
        ("/api/sdk/prompts/x", Snapshot, "lookup"),
    ],
)
async def test_a_fault_is_a_500_whose_request_id_is_in_the_log(
    platform: RunningPlatform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: str,
    owner: type,
    name: str,
) -> None:
    def fails(*_arguments: object, **_fields: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(owner, name, fails)
    answer = await platform.http.get(path, headers={"origin": "http://app.example"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["error"]
    logged = capsys.readouterr()
    assert answer.json()["request_id"] in logged.out + logged.err
