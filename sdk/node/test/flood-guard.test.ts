// A server that floods the watch with frames.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";

import { FloodGuard } from "../src/flood-guard.js";
import { PromptOpsClient } from "../src/index.js";
import { eventually } from "./server.js";

test("reading pauses after a thousand frames, and goes on later", async () => {
  const calls: string[] = [];
  const socket = { pause: () => calls.push("pause"), resume: () => calls.push("resume"), pong: () => calls.push("pong"), bufferedAmount: 0 };
  const guard = new FloodGuard(socket as never);
  for (let frames = 0; frames < 5000; frames += 1) guard.count();
  assert.deepEqual(calls, ["pause"]);
  await eventually(() => calls.length === 2);
  assert.deepEqual(calls, ["pause", "resume"]);
  guard.answerPing(Buffer.from("a"));
  socket.bufferedAmount = 1024 * 1024;
  guard.answerPing(Buffer.from("b"));
  assert.deepEqual(calls, ["pause", "resume", "pong"]);
  guard.end();
});

for (const [name, frame] of Object.entries({ "empty frames": [0x81, 0], pings: [0x89, 0], "nested lists": null })) {
  test(`close ends while the server floods with ${name}`, async () => {
    const sockets = new Set<Socket>();
    const text = Buffer.from("[".repeat(60_000));
    const nested = Buffer.concat([Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), text]);
    const block = frame ? Buffer.alloc(65_536, Buffer.from(frame)) : nested;
    const listener = http.createServer();
    listener.on("upgrade", (request, socket: Socket) => {
      sockets.add(socket);
      const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      socket.write(`HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept.digest("base64")}\r\n\r\n`);
      const hello = JSON.stringify({ type: "hello", epoch: "e", revision: 1, heartbeat_seconds: 10 });
      socket.write(Buffer.concat([Buffer.from([0x81, hello.length]), Buffer.from(hello)]));
      const flood = (): void => {
        while (socket.writable && socket.write(block));
      };
      socket.on("error", () => undefined).on("drain", flood).on("close", () => sockets.delete(socket));
      flood();
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const client = new PromptOpsClient({ server: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`, token: "t" });
    await client.watch();
    assert.equal(sockets.size, 1);
    await client.close();
    await eventually(() => sockets.size === 0);
    await new Promise((resolve) => listener.close(resolve));
  });
}
