import { createRequire } from "node:module";

// In a bundled ES module, `ws` calls a global `require` for Node's own modules while it loads. This module
// provides it, and `unrequirable` removes it again.
const scope = globalThis as { require?: unknown };

export const isNeeded = typeof scope.require === "undefined";
if (isNeeded) scope.require = createRequire("/");
