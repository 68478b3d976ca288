"""Live connections on the wire."""

from datetime import datetime

from promptops_platform.http.envelope import Resource
from promptops_platform.http.examples import example


class LiveClient(Resource):
    model_config = example(
        id="9b8a7c6d5e4f3021",
        client_type="python",
        app="mailer",
        namespace="prod",
        remote_addr="127.0.0.1",
        user_agent="promptops-python/0.1.0",
        connected_at="2026-03-14T09:26:53.589793Z",
    )

    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime
