// The package as users get it: packed, installed into a separate folder, and used in each way.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { FakeServer } from "./server.js";

const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
const TOOLS = path.join(PACKAGE, "test", "consumers");
const run = promisify(execFile);
const npm = (folder: string, ...words: string[]) => {
  return run("npm", [...words, "--no-audit", "--no-fund", "--prefer-offline"], { cwd: folder, timeout: 300_000 });
};
const tool = (name: string): string => path.join(TOOLS, "node_modules", ...name.split("/"));
const install = async (folder: string, packed: string): Promise<void> => {
  await mkdir(folder);
  await writeFile(path.join(folder, "package.json"), '{ "private": true }');
  await npm(folder, "install", packed);
};
const USE = `
  const client = new PromptOpsClient({ server: process.argv[2], token: "t" });
  client.watch().then(() => client.render("greeting", { who: "Ada" })).then(async (text) => {
    console.log(text, renderTemplate("{{a}}", { a: 1 }), typeof globalThis.require);
    await client.close();
  });
`;

// These tests mostly wait for npm and other programs.
describe("the installed package", { concurrency: 2 }, () => {
  let server: FakeServer;
  let folder: string;
  let user: string;
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(path.join(user, name), text);
    return path.join(user, name);
  };
  const printed = async (program: string): Promise<string> => {
    return (await run(process.execPath, [program, server.url], { timeout: 60_000 })).stdout;
  };

  before(async () => {
    server = await new FakeServer().start();
    server.put("greeting", "Hello {{who}}!");
    folder = await mkdtemp(path.join(tmpdir(), "promptops-"));
    user = path.join(folder, "user");
    const tools = existsSync(tool("typescript/bin/tsc")) ? null : npm(TOOLS, "ci");
    await npm(PACKAGE, "pack", "--ignore-scripts", "--pack-destination", folder);
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
    await install(user, path.join(folder, tarball!));
    await tools;
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test("is imported by ES modules and required by CommonJS ones", async () => {
    const esm = await file("esm.mjs", `import { PromptOpsClient, renderTemplate } from "@promptops/client";${USE}`);
    assert.equal(await printed(esm), "Hello Ada! 1 undefined\n");
    const cjs = await file("cjs.cjs", `const { PromptOpsClient, renderTemplate } = require("@promptops/client");${USE}`);
    assert.equal(await printed(cjs), "Hello Ada! 1 undefined\n");
    const subpaths = await file("sub.cjs", `
      const { FakePromptOpsClient } = require("@promptops/client/testing");
      const { bucketOf } = require("@promptops/client/portable");
      new FakePromptOpsClient({ a: "b" }).render("a").then((text) => console.log(text, bucketOf("s", "u") >= 0));
    `);
    assert.equal(await printed(subpaths), "b true\n");
  });

  test("is required by Jest in its default mode", async () => {
    await file("a.test.js", `
      const { PromptOpsClient } = require("@promptops/client");
      const { FakePromptOpsClient } = require("@promptops/client/testing");
      test("renders", async () => {
        expect(await new FakePromptOpsClient({ a: "Hi {{b}}" }).render("a", { b: 1 })).toBe("Hi 1");
        expect(() => new PromptOpsClient({})).toThrow(TypeError);
      });
    `);
    await run(process.execPath, [tool("jest/bin/jest.js"), "--rootDir", user, "--watchman=false"], { cwd: user, timeout: 120_000 });
  });

  for (const [resolution, module, names] of [
    ["node10", "commonjs", ["a.ts"]],
    ["node16", "node16", ["b.mts", "b.cts"]],
    ["bundler", "es2022", ["c.ts"]],
  ] as const) {
    test(`has types for TypeScript with moduleResolution ${resolution} (${names.join(", ")})`, async () => {
      const text = `
        import { PromptOpsClient, type Prompts } from "@promptops/client";
        import { FakePromptOpsClient } from "@promptops/client/testing";
        import { renderTemplate } from "@promptops/client/portable";
        export const all: Prompts[] = [new PromptOpsClient({ server: "http://x" }), new FakePromptOpsClient()];
        export const text: string = renderTemplate("{{a}}", { a: 1 });
        // @ts-expect-error the server is missing
        export const wrong = new PromptOpsClient({});
      `;
      const programs = await Promise.all(names.map((name) => file(name, text)));
      // Check the declarations of the package, not those of TypeScript's own libraries.
      const options = ["--noEmit", "--strict", "--skipDefaultLibCheck", "--target", "es2022"];
      const modules = ["--moduleResolution", resolution, "--module", module];
      await run(process.execPath, [tool("typescript/bin/tsc"), ...options, ...modules, ...programs], { cwd: user }).catch((error) => {
        assert.fail(String(error.stdout));
      });
    });
  }

  test("is bundled by esbuild into one ES module", async () => {
    await file("bundled.mjs", `import { PromptOpsClient, renderTemplate } from "@promptops/client";${USE}`);
    const options = ["--bundle", "--platform=node", "--format=esm", `--outfile=${path.join(folder, "out.mjs")}`];
    await run(tool(".bin/esbuild"), [path.join(user, "bundled.mjs"), ...options]);
    assert.equal(await printed(path.join(folder, "out.mjs")), "Hello Ada! 1 undefined\n");
  });

  test("has templates and buckets without anything of Node", async () => {
    const program = await file("portable.mjs", `
      import { bucketOf, renderTemplate } from "@promptops/client/portable";
      globalThis.answer = [bucketOf("s", "u"), renderTemplate("{{a}}", { a: [1] })];
    `);
    const out = path.join(folder, "portable.js");
    await run(tool(".bin/esbuild"), [program, "--bundle", "--platform=browser", `--outfile=${out}`]);
    assert.doesNotMatch(await readFile(out, "utf8"), /node:|\brequire\b|\bBuffer\b|\bprocess\b/);
  });

  const sources = async (name: string): Promise<string> => {
    const copy = path.join(folder, name);
    const copied = ["src", "package.json", "package-lock.json", ".npmrc", "prepare.mjs"];
    const projects = (await readdir(PACKAGE)).filter((project) => project.startsWith("tsconfig"));
    for (const source of [...copied, ...projects]) await cp(path.join(PACKAGE, source), path.join(copy, source), { recursive: true });
    return copy;
  };
  const required = async (consumer: string): Promise<string> => {
    const program = path.join(consumer, "a.cjs");
    await writeFile(program, 'console.log(require("@promptops/client").renderTemplate("{{a}}", { a: 1 }))');
    return printed(program);
  };

  test("is built where it is installed from git", async () => {
    const repository = await sources("repository");
    const git = (...words: string[]) => run("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...words], { cwd: repository });
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "all");
    const consumer = path.join(folder, "of-git");
    await install(consumer, `git+file://${repository}`);
    assert.equal(await required(consumer), "1\n");
  });

  test("is built where it is installed from a folder", async () => {
    const consumer = path.join(folder, "of-folder");
    await install(consumer, await sources("copy"));
    assert.equal(await required(consumer), "1\n");
  });
});
