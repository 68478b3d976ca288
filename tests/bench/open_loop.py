"""Load at a fixed rate, sent on schedule whether or not earlier answers have come.

A process of its own, on plain sockets: `select` waits to the microsecond, event loops to the
millisecond, which would hide the very latencies to be measured.
"""

import asyncio
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.http_load import HOST, complete
from bench.servers import environment, module

SETTLE_SECONDS = 5.0


class Latencies(NamedTuple):
    """Milliseconds: from the intended time of sending to the answer, from the sending to the
    answer, and by how much the sending was late, which is this process waiting for a CPU."""

    answered: list[float]
    served: list[float]
    late: list[float]


async def send_on_schedule(
    port: int, requests: list[bytes], *, rate: float, seconds: float
) -> Latencies:
    """Have a process of its own send, and bring its latencies back."""
    process = await asyncio.create_subprocess_exec(
        *module("bench.open_loop"),
        env=environment({}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
    )
    texts = [request.decode("latin-1") for request in requests]
    asked = {"port": port, "rate": rate, "seconds": seconds, "requests": texts}
    output, _ = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0, "the load process failed"
    return Latencies(**json.loads(output))


@dataclass
class Schedule:
    """The state of one open loop; where all connections are busy, another is made.

    Idle ones are used in turn: the server closes a connection that is idle for 5 seconds."""

    port: int
    rate: float
    seconds: float
    requests: list[bytes]
    idle: deque[socket.socket] = field(default_factory=deque)
    busy: dict[socket.socket, tuple[float, float, bytes]] = field(default_factory=dict)
    due: deque[float] = field(default_factory=deque)
    result: Latencies = field(default_factory=lambda: Latencies([], [], []))
    sent: int = 0

    def run(self) -> Latencies:
        started = time.perf_counter()
        self.due.extend(started + n / self.rate for n in range(int(self.rate * self.seconds)))
        deadline = self.due[-1] + SETTLE_SECONDS
        while (self.due or self.busy) and time.perf_counter() < deadline:
            self._send_what_is_due()
            self._receive()
        assert not self.busy, f"{len(self.busy)} requests got no answer"
        return self.result

    def _send_what_is_due(self) -> None:
        while self.due and self.due[0] <= (now := time.perf_counter()):
            intended = self.due.popleft()
            connection = self.idle.popleft() if self.idle else _connected(self.port)
            connection.sendall(self.requests[self.sent % len(self.requests)])
            self.sent += 1
            self.busy[connection] = (intended, now, b"")
            self.result.late.append((now - intended) * 1000)

    def _receive(self) -> None:
        wait = max(0.0, self.due[0] - time.perf_counter()) if self.due else 0.1
        readable, _, _ = select.select(list(self.busy), [], [], wait)
        for connection in readable:
            intended, sent, received = self.busy[connection]
            arrived = connection.recv(262144)
            assert arrived, "the server closed a connection before the answer"
            received += arrived
            answer = complete(received)
            if answer is None:
                self.busy[connection] = (intended, sent, received)
                continue
            now = time.perf_counter()
            self.result.answered.append((now - intended) * 1000)
            self.result.served.append((now - sent) * 1000)
            assert answer.status == 200, answer
            del self.busy[connection]
            self.idle.append(connection)


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _main(asked: dict[str, Any]) -> None:
    requests = [text.encode("latin-1") for text in asked.pop("requests")]
    schedule = Schedule(requests=requests, **asked)
    schedule.idle.extend(_connected(schedule.port) for _ in range(8))
    gc.disable()
    json.dump(schedule.run()._asdict(), sys.stdout)


if __name__ == "__main__":
    _main(json.load(sys.stdin))
