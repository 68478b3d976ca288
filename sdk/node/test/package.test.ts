// The built package, as users get it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { VERSION } from "../src/address.js";
import { FakeServer } from "./server.js";

const PACKAGE = new URL("../../", import.meta.url);
const run = promisify(execFile);
const read = async (name: string): Promise<any> => JSON.parse(await readFile(new URL(name, PACKAGE), "utf8"));

test("needs only ws, and reports its version", async () => {
  const described = await read("package.json");
  assert.deepEqual(Object.keys(described.dependencies), ["ws"]);
  assert.equal(described.version, VERSION);
});

test("the lock file has no address, and locks every package by its checksum", async () => {
  const { packages } = await read("package-lock.json");
  for (const [name, locked] of Object.entries<any>(packages)) {
    assert.equal(locked.resolved, undefined, name);
    if (name) assert.match(locked.integrity, /^sha512-/);
  }
});

test("the published files are the built package and its types", async () => {
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: PACKAGE });
  const paths: string[] = JSON.parse(stdout)[0].files.map((file: { path: string }) => file.path);
  const others = paths.filter((path) => !/^dist\/(cjs\/)?[a-z-]+\.(js|d\.ts)$/.test(path));
  assert.deepEqual(others.sort(), ["LICENSE", "README.md", "dist/cjs/package.json", "package.json"]);
  assert.ok(["dist/index.js", "dist/index.d.ts", "dist/testing.js", "dist/testing.d.ts"].every((path) => paths.includes(path)));
});

test("a program whose client is closed ends by itself, whatever the client has done", async () => {
  const server = await new FakeServer().start();
  server.put("greeting", "Hello");
  const program = `
    import { PromptOpsClient } from "@promptops/client";
    import { FakePromptOpsClient } from "@promptops/client/testing";
    new FakePromptOpsClient();
    const watching = new PromptOpsClient({ server: "${server.url}", token: "t" });
    await watching.getPrompt("greeting");
    await watching.watch();
    const lost = new PromptOpsClient({ server: "http://127.0.0.1:1", token: "t", maxAge: 0 });
    await lost.watch();
    console.log(await watching.render("greeting"), await lost.render("greeting", {}, { default: "else" }));
    watching.close();
    lost.close();
  `;
  const began = performance.now();
  try {
    const { stdout, stderr } = await ended(program);
    assert.equal(stdout, "Hello else\n");
    // Only the warning about the missing server.
    assert.match(stderr, /^\(node:\d+\) PromptOpsWarning: hot reload does not work.*ECONNREFUSED.*\n\(Use `node .*\n$/);
    assert.ok(performance.now() - began < 5000);
  } finally {
    await server.stop();
  }
});

test("a program that closes its client when the token is refused ends by itself", async () => {
  const server = await new FakeServer().start();
  server.refuseWatch = 401;
  const program = `
    import { PromptOpsClient } from "@promptops/client";
    const client = new PromptOpsClient({ server: "${server.url}", token: "t" });
    client.on("error", ({ status }) => client.close().then(() => console.log(status)));
    await client.watch();
  `;
  try {
    assert.equal((await ended(program, 8000)).stdout, "401\n");
  } finally {
    await server.stop();
  }
});

/** The output of the program; an error if it does not end in time. */
function ended(program: string, timeout = 20_000): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, ["--input-type=module", "-e", program], { cwd: fileURLToPath(PACKAGE), timeout });
}
