"""Responses about live connections."""

from datetime import datetime

from pydantic import Field

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example


class LiveClient(Resource):
    """A connected client. `revision` and the fields after it are what the client has reported."""

    model_config = example(
        id="9b8a7c6d5e4f3021",
        client_type="python",
        app="mailer",
        namespace="prod",
        remote_addr="127.0.0.1",
        user_agent="promptops-python/0.2.0",
        connected_at="2026-03-14T09:26:53.589793Z",
        version="0.2.0",
        revision=4711,
        lag_revisions=0,
        lag_seconds=0.0,
        reported_at="2026-03-14T09:28:01.120394Z",
        keys=12,
        replica="0198a3b2c4d5e6f7",
        silent=False,
    )

    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime
    version: str = Field(description="Version of the SDK; empty if it reports none.")
    revision: int | None = Field(
        description="The revision that it has applied; null if it reports none."
    )
    lag_revisions: int | None = Field(
        description="The number of changes to its prompts that it has not applied yet."
    )
    lag_seconds: float | None = Field(
        description="How long the oldest of these has waited; 0 without any."
    )
    reported_at: datetime | None = Field(description="Time of its last report.")
    keys: int | None = Field(
        description="How many prompts it has in memory; 1001 means more than 1000, null that it "
        "does not report them."
    )
    replica: str = Field(description="The process that it is connected to.")
    silent: bool = Field(description="Whether it reports nothing, as older clients do.")
