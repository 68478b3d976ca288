"""The fake of Langfuse, checked with the client of Langfuse's own package."""

import pytest

from harness.langfuse_api import PUBLIC_KEY, SECRET_KEY, fake_langfuse


def test_the_client_of_the_langfuse_package_reads_the_fake() -> None:
    langfuse = pytest.importorskip("langfuse.api")
    with fake_langfuse() as fake:
        fake.add("movie", "one", "production", config={"model": "gpt-5"})
        fake.add("chat", [{"type": "chatmessage", "role": "user", "content": "Hi"}])
        api = langfuse.LangfuseAPI(base_url=fake.url, username=PUBLIC_KEY, password=SECRET_KEY)
        page = api.prompts.list(page=1, limit=10)
        assert [meta.name for meta in page.data] == ["chat", "movie"]
        assert page.meta.total_pages == 1
        assert api.prompts.get("movie", version=1).prompt == "one"
        assert api.prompts.get("chat", version=1).prompt[0].content == "Hi"
