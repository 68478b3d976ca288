"""Live connections on the wire."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from promptops_platform.realtime.watch import Client


class LiveClient(BaseModel):
    id: str
    client_type: str
    app: str
    namespace: str
    remote_addr: str
    user_agent: str
    connected_at: datetime

    @classmethod
    def of(cls, client: Client) -> Self:
        return cls(
            id=client.id,
            client_type=client.client_type,
            app=client.app,
            namespace=client.namespace,
            remote_addr=client.remote_addr,
            user_agent=client.user_agent,
            connected_at=client.connected_at,
        )
