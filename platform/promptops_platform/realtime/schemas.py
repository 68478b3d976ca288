"""Live connections on the wire."""

from datetime import datetime

from promptops_platform.http.envelope import Resource


class LiveClient(Resource):
    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime
